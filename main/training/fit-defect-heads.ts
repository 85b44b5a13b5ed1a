import { matrixOf } from '../../shared/linear-algebra.ts';
import { defectLikeness, deviationOf, fitFrame } from '../../shared/supervision/defect-likeness.ts';
import { fitHead, gateHead, type ScoreRow } from '../../shared/supervision/score-head.ts';
import type { DefectHeads } from '../detector/fitted-model.ts';
import type { FeatureStore } from './feature-store.ts';
import type { Snapshot } from './snapshot.ts';
import type { Teacher } from './teacher.ts';

/** A class needs this many labelled defects: each is judged by its likeness to the others. */
export const fewestDefects = 2;
/** ... and this many good pictures that nothing was learned from. */
const fewestNormals = 4;
const names = ['fused score', 'likeness to labelled defects'] as const;

export interface FittedHeads {
  /** Undefined where no class has one. */
  heads: DefectHeads | undefined;
  /** For the person, one sentence for every class with labelled defects. */
  notices: string[];
}

/**
 * The safe way to use labelled defects: nothing that was learned changes; one small head per class adds to the fused score
 * how alike a picture's deviation is to that of the class's labelled defects, in the backbone's head vector. Its two weights
 * are fitted on pictures held out and on the labelled defects, each compared with the others only. A head that finds fewer
 * of them than the fused score alone, at no or at 5 % false rejects, is dropped.
 *
 * @param score fused score of a picture, without a head
 */
export async function fitDefectHeads(
  { classes, defects }: Pick<Snapshot, 'classes' | 'defects'>,
  teacher: Pick<Teacher, 'headPart'>,
  store: Pick<FeatureStore, 'get'>,
  score: (picture: number) => Promise<number>,
): Promise<FittedHeads> {
  const { from, to } = teacher.headPart;
  const describe = async (picture: number): Promise<Float32Array> => (await store.get(picture)).vector.slice(from, to);
  const heads: DefectHeads = {
    mean: matrixOf(classes.length, to - from),
    scale: matrixOf(classes.length, to - from),
    towards: matrixOf(classes.length, to - from),
    factor: new Float32Array(classes.length).fill(1),
    weight: new Float32Array(classes.length),
    offset: new Float32Array(classes.length),
  };
  const notices: string[] = [];
  let count = 0;
  for (const [c, { name, pictures, split }] of classes.entries()) {
    const own = defects.filter(({ classIndex }) => classIndex === c).map(({ picture }) => picture);
    if (own.length === 0) continue;
    const heldOut = split.heldOut.map((i) => pictures[i]!);
    if (own.length < fewestDefects || heldOut.length < fewestNormals) {
      notices.push(
        `"${name}": ${own.length} labelled defects and ${heldOut.length} good pictures held out are too few to learn from; ${fewestDefects} and ${fewestNormals} are needed.`,
      );
      continue;
    }
    const normalVectors: Float32Array[] = [];
    for (const picture of pictures) normalVectors.push(await describe(picture));
    const frame = fitFrame(normalVectors);
    const deviations: Float64Array[] = [];
    for (const picture of own) deviations.push(deviationOf(frame, await describe(picture)));
    const normals: ScoreRow[] = [];
    for (const [i, picture] of heldOut.entries()) {
      const deviation = deviationOf(frame, normalVectors[split.heldOut[i]!]!);
      normals.push([await score(picture), defectLikeness(deviation, deviations)!]);
    }
    const labelled: ScoreRow[] = [];
    for (const [i, picture] of own.entries()) {
      labelled.push([await score(picture), defectLikeness(deviations[i]!, deviations, i)!]);
    }
    const head = fitHead(names, normals, labelled);
    const golden = { normals, defects: labelled.map((row, learned) => ({ row, learned })) };
    const gate = gateHead(head, normals, labelled, golden);
    const [atNone] = gate.points;
    const found = (recall: number): string => `${Math.round(recall * own.length)} of ${own.length}`;
    if (!gate.passes) {
      notices.push(`"${name}": what the labelled defects taught would find fewer of them and is left out.`);
      continue;
    }
    notices.push(
      `"${name}": of the labelled defects, each left out in turn, ${found(atNone!.head)} lie above every good picture held out, ${found(atNone!.fused)} without them.`,
    );
    const [w0, w1] = head.weights as [number, number];
    const [m0, m1] = head.mean as [number, number];
    const unit = head.sd[0]! / head.sd[1]!;
    heads.factor[c] = w0;
    heads.weight[c] = unit * w1;
    heads.offset[c] = m0 * (1 - w0) - unit * w1 * m1;
    const at = c * (to - from);
    for (let k = 0; k < to - from; k++) {
      heads.mean.data[at + k] = frame.mean[k]!;
      heads.scale.data[at + k] = 1 / frame.sd[k]!;
      heads.towards.data[at + k] = deviations.reduce((sum, one) => sum + one[k]!, 0) / deviations.length;
    }
    count++;
  }
  return { heads: count === 0 ? undefined : heads, notices };
}
