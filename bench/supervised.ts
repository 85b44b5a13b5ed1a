/**
 * What labelled defects are worth: AUROC and recall on defects that nothing learned from, with 0, 1, 5, 10 and 20 labelled
 * ones, by both ways of using them: as y = 0 in the students' training, and in a head over the frozen scores and descriptors.
 *
 *   node bench/run.mjs bench/supervised.ts --data DIR [--data DIR] [--shots 100] [--steps 300] [--counts 1,5,10,20]
 *     [--draws 20] [--threads 1] [--head-only]
 *
 * The first 20 defects of a seeded shuffle are the ones that may be labelled (1 of them, 5, ... each set within the next);
 * all others and the good test pictures judge; heads, which cost nothing, are measured over many such shuffles. A head is fitted on the held-out good pictures and refused by its gate
 * (recall on the labelled defects, each left out in turn) where it finds less than the fused score.
 */
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { auroc } from '../shared/metrics/ranking.ts';
import { createRandom } from '../shared/random.ts';
import {
  applyHead,
  fitHead,
  gateHead,
  identityHead,
  recallAt,
  type ScoreRow,
} from '../shared/supervision/score-head.ts';
import { defectLikeness, deviationOf, fitFrame } from '../shared/supervision/defect-likeness.ts';
import { readDataset } from '../main/datasets/read.ts';
import { presets } from '../main/nn/presets.ts';
import { cacheFolder } from '../main/training/cache-folder.ts';
import { Checkpoint } from '../main/training/checkpoint.ts';
import { openBackbone } from '../main/training/embedded-recipe.ts';
import { openEngine } from '../main/training/engines.ts';
import { FeatureCache } from '../main/training/feature-cache.ts';
import { FeatureStore } from '../main/training/feature-store.ts';
import { fitMemory } from '../main/training/fit-memory.ts';
import { takeSnapshot } from '../main/training/snapshot.ts';
import { Teacher } from '../main/training/teacher.ts';
import { TrainerScorer } from '../main/training/trainer-scorer.ts';
import { trainStudents } from '../main/training/train-students.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string', multiple: true },
    shots: { type: 'string', default: '100' },
    steps: { type: 'string', default: '300' },
    counts: { type: 'string', default: '1,5,10,20' },
    goods: { type: 'string', default: '150' },
    defects: { type: 'string', default: '120' },
    draws: { type: 'string', default: '20' },
    threads: { type: 'string', default: '1' },
    'head-only': { type: 'boolean', default: false },
  },
});
const threads = Number(values.threads);
const counts = values.counts.split(',').map(Number);
const mostLabels = 20;
const columns = ['predScore', 'localScore', 'semanticScore', 'memoryScore'] as const;
const session = { provider: 'cpu', threads };
const signal = new AbortController().signal;
const say = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);

for (const dir of values.data ?? []) await measure(dir);

async function measure(dir: string): Promise<void> {
  const preset = presets.embedded;
  const students = { ...preset.students, steps: Number(values.steps) };
  const dataset = await readDataset([dir]);
  const snapshot = await takeSnapshot(dataset, { seed: 1, shots: Number(values.shots) }, signal);
  const tests = dataset.pictures.filter(({ split }) => split === 'test');
  const shuffled = (label: 'good' | 'defect', most: number): string[] =>
    createRandom(7)
      .shuffle(tests.filter(({ gtLabel }) => gtLabel === label).map((picture) => picture.path))
      .slice(0, most);
  const [goods, defects] = [shuffled('good', Number(values.goods)), shuffled('defect', Number(values.defects))];
  const paths = [...snapshot.pictures.map((picture) => picture.path), ...goods, ...defects];
  const firstGood = snapshot.pictures.length;
  const firstDefect = firstGood + goods.length;
  const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
  const labelled = range(firstDefect, mostLabels);
  const judges = {
    goods: range(firstGood, goods.length),
    defects: range(firstDefect + mostLabels, defects.length - mostLabels),
  };
  const { classes } = snapshot;
  const heldOut = classes.flatMap(({ pictures, split }) => split.heldOut.map((i) => pictures[i]!));
  say(
    `${path.basename(dir)}: ${snapshot.normalCount} good to learn from (${heldOut.length} held out), judged on ${judges.goods.length} good and ${judges.defects.length} defects; load ${os.loadavg()[0]!.toFixed(1)}`,
  );

  const { entry, weights } = await openBackbone(preset);
  const teacher = await Teacher.open(entry, weights, session);
  const cache = new FeatureCache(cacheFolder(undefined), teacher.graphHash, teacher.layout.length);
  const store = new FeatureStore(paths, teacher, cache, os.totalmem() * 0.15);
  await store.fill(signal, () => undefined);
  say('features are there');
  const memory = await fitMemory(classes, teacher, store, {
    seed: 1,
    session,
    search: preset.search,
    signal,
    onProgress: () => undefined,
  });
  say('memory is there');

  /** Scores of all pictures that count, by a model whose students saw the first `count` labelled defects. */
  const scoresWith = async (count: number): Promise<Map<number, ScoreRow>> => {
    const trained = await trainStudents(classes, teacher, store, {
      students,
      defects: labelled.slice(0, count).map((picture) => ({ picture, classIndex: 0 })),
      seed: 1,
      session,
      openEngine: (step, initial) => openEngine('cpu', step, initial, session),
      checkpoint: new Checkpoint(path.join(os.tmpdir(), `supervised-${process.pid}`), '', false),
      checkpointEvery: Infinity,
      signal,
      onStep: (done, total, losses) => {
        if (done === total) say(`  loss ${losses.total.toFixed(3)}, encoder ${losses.encoder.toFixed(2)}`);
      },
      onNotice: () => undefined,
      onWarning: say,
    });
    const scorer = await TrainerScorer.open(teacher, store, memory, trained, session);
    const rows = new Map<number, ScoreRow>();
    for (const picture of [...heldOut, ...judges.goods, ...judges.defects, ...labelled]) {
      const scores = await scorer.expertScores(picture);
      rows.set(
        picture,
        columns.map((name) => scores[name]),
      );
    }
    await scorer.close();
    return rows;
  };
  const rowsOf = (rows: ReadonlyMap<number, ScoreRow>, pictures: readonly number[]): ScoreRow[] =>
    pictures.map((picture) => rows.get(picture)!);
  /** AUROC, recall at no and at 5 % false rejects. */
  const figures = (goodScores: number[], defectScores: number[]): number[] => {
    const truth = [...goodScores.map(() => 0), ...defectScores.map(() => 1)];
    const area = auroc(truth, [...goodScores, ...defectScores]) ?? NaN;
    return [area, recallAt(goodScores, defectScores, 0), recallAt(goodScores, defectScores, 0.05)];
  };
  const fused = (rows: ReadonlyMap<number, ScoreRow>): string =>
    figures(
      rowsOf(rows, judges.goods).map((row) => row[0]!),
      rowsOf(rows, judges.defects).map((row) => row[0]!),
    )
      .map((value) => value.toFixed(3))
      .join(' | ');

  const table: string[] = [
    '| labelled defects | used by | AUROC | recall at 0 % false rejects | at 5 % |',
    '| --- | --- | --- | --- | --- |',
  ];
  const add = (line: string): void => {
    table.push(line);
    say(line);
  };
  const plain = await scoresWith(0);
  add(`| 0 | - | ${fused(plain)} |`);

  const { from, to } = teacher.headPart;
  const descriptor = async (picture: number): Promise<Float32Array> =>
    (await store.get(picture)).vector.slice(from, to);
  const normalDescriptors: Float32Array[] = [];
  for (const picture of classes.flatMap(({ pictures }) => pictures)) normalDescriptors.push(await descriptor(picture));
  const frame = fitFrame(normalDescriptors);
  const deviations = new Map<number, Float64Array>();
  for (const picture of plain.keys()) deviations.set(picture, deviationOf(frame, await descriptor(picture)));
  const allDefects = [...labelled, ...judges.defects];
  /** Over the scores alone, and over the fused score and the likeness to the labelled defects. */
  const heads = { scores: columns, 'score and descriptor': [columns[0], 'likeness'] } as const;
  for (const [what, names] of Object.entries(heads)) {
    for (const count of counts) {
      const results: number[][] = [];
      let refused = 0;
      for (let draw = 0; draw < Number(values.draws); draw++) {
        const order = createRandom(100 + draw).shuffle([...allDefects]);
        const chosen = order.slice(0, count);
        const known = chosen.map((picture) => deviations.get(picture)!);
        const row = (picture: number): ScoreRow => {
          const scores = plain.get(picture)!;
          if (what === 'scores') return scores;
          const at = chosen.indexOf(picture);
          const likeness = defectLikeness(deviations.get(picture)!, known, at < 0 ? undefined : at);
          return [scores[0]!, likeness ?? 0];
        };
        const normals = heldOut.map(row);
        const rows = chosen.map(row);
        // One labelled defect can't be compared with another: its descriptor says nothing that could be checked.
        const head = what !== 'scores' && count < 2 ? identityHead(names, normals) : fitHead(names, normals, rows);
        const golden = { normals, defects: rows.map((one, learned) => ({ row: one, learned })) };
        const { passes } = gateHead(head, normals, rows, golden);
        if (!passes) refused++;
        const used = passes ? head : identityHead(names, normals);
        const by = (pictures: readonly number[]): number[] => pictures.map((picture) => applyHead(used, row(picture)));
        const others = order.slice(mostLabels);
        const rawGoods = rowsOf(plain, judges.goods).map((one) => one[0]!);
        const rawOthers = rowsOf(plain, others).map((one) => one[0]!);
        results.push([...figures(rawGoods, rawOthers), ...figures(by(judges.goods), by(others))]);
      }
      const mean = results[0]!.map((_, i) => results.reduce((sum, one) => sum + one[i]!, 0) / results.length);
      const text = mean.map((value) => value.toFixed(3));
      add(
        `| ${count} | head over ${what}, ${results.length} draws (${refused} refused) | ${text.slice(3).join(' | ')} | fused score on the same: ${text.slice(0, 3).join(', ')} |`,
      );
    }
  }
  for (const count of values['head-only'] ? [] : counts)
    add(`| ${count} | students, y = 0 | ${fused(await scoresWith(count))} |`);
  console.log(`\n${path.basename(dir)}\n\n${table.join('\n')}\n`);
  await teacher.close();
}
