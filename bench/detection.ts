/**
 * Detection quality and training time of ONE model over all pictures given, beside the peers' figures.
 *
 *   node bench/run.mjs bench/detection.ts --data DIR [--data DIR ...]    packs as in the README, one class or several
 *   node bench/run.mjs bench/detection.ts --cifar DIR                    CIFAR-10, train/<class>, test/<class>
 *
 * --splits 1,2,3,4    which of UniAD's splits of CIFAR-10
 * --instant           memory only
 * --search exact      in one pass instead of two; default: the preset's
 * --model FILE        measure this model instead of training one
 * --seed, --steps, --shots, --threads, --cache DIR, --keep FILE (keeps the model), --no-pixels, --json FILE
 */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { auroc } from '../shared/metrics/ranking.ts';
import { otherClasses } from '../main/datasets/layouts.ts';
import { readDataset } from '../main/datasets/read.ts';
import { checkFusedGraph } from '../main/detector/check-graph.ts';
import { detectorOf } from '../main/detector/open-detector.ts';
import {
  evaluateDetector,
  scorePictures,
  type EvaluationParts,
  type PictureScore,
} from '../main/evaluation/evaluate.ts';
import { readPackage } from '../main/package/read-package.ts';
import { readPicture } from '../main/pictures/decode.ts';
import { preparePicture } from '../main/pictures/prepare.ts';
import { openSession } from '../main/runtime/session.ts';
import type { TrainingRequest } from '../main/training/request.ts';
import { trainModel } from '../main/training/run.ts';
import peers from './peers.json' with { type: 'json' };
import { cell, formatRows, loadLine, meanOf, median } from './tools.ts';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', multiple: true, default: [] },
    cifar: { type: 'string' },
    splits: { type: 'string', default: '1,2,3,4' },
    instant: { type: 'boolean', default: false },
    search: { type: 'string' },
    model: { type: 'string' },
    seed: { type: 'string', default: '0' },
    steps: { type: 'string' },
    shots: { type: 'string' },
    threads: { type: 'string' },
    cache: { type: 'string' },
    keep: { type: 'string' },
    'no-pixels': { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const threads = options.threads === undefined ? availableParallelism() : Number(options.threads);

/** Scores of one picture, the students' own fused score among them. */
type Scored = PictureScore & { studentScore: number };
const scoreNames = ['predScore', 'memoryScore', 'studentScore', 'localScore', 'semanticScore'] as const;
type ScoreName = (typeof scoreNames)[number];

/** A class falls behind when it is this much below the better peer. */
const allowedLoss = 0.02;

/** UniAD's four splits of CIFAR-10: the classes that are normal. */
const cifarSplits = [
  ['airplane', 'automobile', 'bird', 'cat', 'deer'],
  ['dog', 'frog', 'horse', 'ship', 'truck'],
  ['airplane', 'bird', 'deer', 'frog', 'ship'],
  ['automobile', 'cat', 'dog', 'horse', 'truck'],
];

function search(): Pick<TrainingRequest, 'search'> {
  const { search: asked } = options;
  if (asked === undefined) return {};
  if (asked !== 'exact' && asked !== 'coded') throw new Error('--search is exact or coded');
  return { search: asked };
}

/** Trains into `out` and prints how long each phase took. */
async function train(dataDirs: readonly string[], out: string, normalClasses?: readonly string[]): Promise<void> {
  const number = (text: string | undefined, name: string) => (text === undefined ? {} : { [name]: Number(text) });
  console.log(`Training: ${threads} thread(s), ${loadLine()}`);
  const summary = await trainModel(
    {
      dataDirs,
      ...(normalClasses === undefined ? {} : { normalClasses }),
      preset: 'embedded',
      seed: Number(options.seed),
      out,
      engine: 'cpu',
      threads,
      ...number(options.shots, 'shots'),
      ...number(options.steps, 'steps'),
      ...search(),
      resume: false,
      instant: options.instant,
      // A cache of its own, empty at the start: features that are there already would shorten the time.
      cacheDir: options.cache ?? path.join(path.dirname(out), 'cache'),
    },
    (event) => {
      if (event.type === 'warning' || event.type === 'notice') console.log(`  ${event.message}`);
      if (event.type === 'phaseDone') console.log(`  ${event.phase}: ${(event.elapsedMs / 1000).toFixed(1)} s`);
    },
    new AbortController().signal,
  );
  const { elapsedMs, classes, parity } = summary;
  console.log(
    `Trained ${classes.length} classes in ${(elapsedMs / 1000).toFixed(1)} s; parity ${parity.maxAbsDifference.toExponential(1)} over ${parity.pictures} pictures; ${loadLine()}`,
  );
}

/** A detector that also keeps what the fused graph says of the students alone, in the order of the calls. */
async function openScored(
  model: string,
): Promise<{ parts: EvaluationParts; studentScores: number[]; close(): Promise<void> }> {
  const studentScores: number[] = [];
  const detector = await detectorOf(await readPackage(model, { checkGraph: checkFusedGraph }), {
    engine: 'cpu',
    threads,
    openGraph: async (graph, sessionOptions) => {
      const session = await openSession(graph, sessionOptions);
      return {
        ...session,
        run: async (feeds, fetches) => {
          const out = await session.run(feeds, fetches);
          studentScores.push(...(out['studentScore']!.data as Float32Array));
          return out;
        },
      };
    },
  });
  return {
    parts: { detector, readPicture, prepare: (picture, size) => preparePicture(picture, { size }) },
    studentScores,
    close: () => detector.close(),
  };
}

function withStudents(pictures: readonly PictureScore[], studentScores: readonly number[]): Scored[] {
  if (pictures.length !== studentScores.length) throw new Error('pictures and students’ scores do not belong together');
  return pictures.map((picture, i) => ({ ...picture, studentScore: studentScores[i]! }));
}

/** AUROC by each score; null where there is no such score (instant mode) or no defect. */
function aurocs(pictures: readonly Scored[]): Record<ScoreName, number | null> {
  const labels = pictures.map(({ gtLabel }) => gtLabel === 'defect');
  const of = (name: ScoreName): number | null => {
    const scores = pictures.map((picture) => picture[name]);
    return scores.some((score) => Number.isNaN(score)) ? null : auroc(labels, scores);
  };
  return Object.fromEntries(scoreNames.map((name) => [name, of(name)])) as Record<ScoreName, number | null>;
}

async function measurePacks(dataDirs: readonly string[], model: string): Promise<unknown> {
  const dataset = await readDataset(dataDirs, { needTrain: false });
  const { parts, studentScores, close } = await openScored(model);
  const start = performance.now();
  const { table, pictures, warnings } = await evaluateDetector(dataset, parts, { withoutPixels: options['no-pixels'] });
  await close();
  for (const warning of warnings) console.log(`Note: ${warning}`);
  const scored = withStudents(pictures, studentScores);
  const rows = table.classes.map((row) => {
    const known = peers.classes[row.name as keyof typeof peers.classes];
    // The same name with other pictures, as in the bundled sample, is another test.
    const peer = known?.testPictures === row.images ? known : undefined;
    const best = peer && Math.max(peer.patchcore.p1, peer.patchcore.p2, peer.padim.p1, peer.padim.p2);
    const image = aurocs(scored.filter(({ className }) => className === row.name));
    const loss = best === undefined || row.imageAuroc === null ? undefined : best - row.imageAuroc;
    return { ...row, image, peer, best, isBehind: loss !== undefined && loss > allowedLoss };
  });
  // The peers' mean pixel figures count where ours do.
  const pixelRows = rows.filter(({ pixelAuroc }) => pixelAuroc !== null);
  const lines = rows.map(({ name, images, defects, image, pixelAuroc, aupro, peer, best, isBehind }) => [
    name,
    `${images}`,
    `${defects}`,
    ...scoreNames.map((score) => cell(image[score])),
    cell(pixelAuroc),
    cell(aupro),
    cell(best),
    cell(peer?.patchcore.p2),
    cell(peer?.padim.p2),
    cell(peer?.patchcore.aupro),
    isBehind ? 'BEHIND' : '',
  ]);
  const compared = rows.every(({ peer }) => peer !== undefined);
  const peerMean = (value: (row: (typeof rows)[number]) => number | null | undefined, of = rows): number =>
    compared ? meanOf(of.map(value)) : Number.NaN;
  const peerMeans = {
    patchcoreP1: peerMean(({ peer }) => peer?.patchcore.p1),
    patchcoreP2: peerMean(({ peer }) => peer?.patchcore.p2),
    padimP1: peerMean(({ peer }) => peer?.padim.p1),
    padimP2: peerMean(({ peer }) => peer?.padim.p2),
    patchcorePixelAuroc: peerMean(({ peer }) => peer?.patchcore.pixelAuroc, pixelRows),
    patchcoreAupro: peerMean(({ peer }) => peer?.patchcore.aupro, pixelRows),
    padimPixelAuroc: peerMean(({ peer }) => peer?.padim.pixelAuroc, pixelRows),
    padimAupro: peerMean(({ peer }) => peer?.padim.aupro, pixelRows),
  };
  const means = Object.fromEntries(
    scoreNames.map((score) => [score, meanOf(rows.map(({ image }) => image[score]))]),
  ) as Record<ScoreName, number>;
  const header = ['class', 'images', 'defects', 'predScore', 'memory', 'students', 'local', 'semantic'];
  console.log(
    formatRows([
      [...header, 'pixel AUROC', 'AUPRO', 'best peer', 'PatchCore', 'PaDiM', 'its AUPRO', ''],
      ...lines,
      [
        'mean',
        '',
        '',
        ...scoreNames.map((score) => cell(means[score])),
        cell(table.mean.pixelAuroc),
        cell(table.mean.aupro),
        cell(peerMean(({ best }) => best)),
        cell(peerMeans.patchcoreP2),
        cell(peerMeans.padimP2),
        cell(peerMeans.patchcoreAupro),
        '',
      ],
    ]),
  );
  console.log(
    'Image AUROC by score. best peer: the best of PatchCore and PaDiM, one model per class or one for all; ' +
      'PatchCore, PaDiM: one model for all; its AUPRO: PatchCore, one model per class.',
  );
  console.log(`All classes in one ranking: ${cell(table.pooled.imageAuroc)}`);
  const wrong = pictures.filter(({ className, inferredClass }) => className !== inferredClass).length;
  console.log(`Class inferred wrongly: ${wrong} of ${pictures.length}`);
  if (compared) {
    console.log(
      `Peers over these classes: ${Object.entries(peerMeans)
        .map(([name, value]) => `${name} ${cell(value)}`)
        .join(', ')}`,
    );
    const behind = rows.filter(({ isBehind }) => isBehind).map(({ name }) => name);
    console.log(`More than ${allowedLoss} below the better peer: ${behind.length === 0 ? 'none' : behind.join(', ')}`);
  } else console.log('Not all classes are the peers’ test splits: no comparison of means.');
  console.log(
    `Evaluated in ${((performance.now() - start) / 1000).toFixed(0)} s, ${cell(median(rows.map(({ latencyMs }) => latencyMs ?? Number.NaN)), 1)} ms a picture; ${loadLine()}`,
  );
  return {
    means,
    mean: table.mean,
    pooled: table.pooled,
    peerMeans,
    classes: rows.map((row) => ({ ...row, peer: undefined })),
  };
}

async function measureCifar(folder: string, work: string): Promise<unknown> {
  const results: { split: number; images: number; defects: number; image: ReturnType<typeof aurocs> }[] = [];
  for (const split of options.splits.split(',').map(Number)) {
    const normalClasses = cifarSplits[split - 1];
    if (normalClasses === undefined)
      throw new Error(`There is no split ${split}: they are 1 to ${cifarSplits.length}.`);
    const model = path.join(work, `cifar-${split}.twin`);
    await train([folder], model, normalClasses);
    const dataset = await readDataset([folder], { normalClasses, needTrain: false });
    const { parts, studentScores, close } = await openScored(model);
    const tests = dataset.pictures.filter(({ split }) => split === 'test');
    const pictures = withStudents(await scorePictures(tests, parts), studentScores);
    await close();
    const others = pictures.filter(({ className }) => className === otherClasses).length;
    results.push({ split, images: pictures.length, defects: others, image: aurocs(pictures) });
  }
  const { knn, patchcore, padim } = peers.cifar10;
  console.log(
    formatRows([
      [
        'split',
        'images',
        'others',
        'predScore',
        'memory',
        'students',
        'local',
        'semantic',
        'kNN',
        'PatchCore',
        'PaDiM',
      ],
      ...results.map(({ split, images, defects, image }) => [
        `${split}`,
        `${images}`,
        `${defects}`,
        ...scoreNames.map((score) => cell(image[score])),
        ...[knn, patchcore, padim].map((value) => (split === 1 ? cell(value) : '-')),
      ]),
      ['mean', '', '', ...scoreNames.map((s) => cell(meanOf(results.map(({ image }) => image[s])))), '', '', ''],
    ]),
  );
  console.log(`${loadLine()}`);
  return { splits: results };
}

if (options.data.length === 0 && options.cifar === undefined) {
  console.log(
    'Name pictures with --data DIR (may be given again), or --cifar DIR.\n' +
      'The figures in docs/figures.md were measured on these public sets, in MVTec layout:\n' +
      '  PIPED paper (12 classes), Magnetic Tile Defect, KolektorSDD, AWS cookies, Dobot cubes, and CIFAR-10 (500 training\n' +
      '  and 100 test pictures a class). docs/figures.md says where each comes from.\n' +
      'A part of the first is in the repository: --data models/sample/papers.',
  );
  process.exitCode = 2;
} else {
  const work = await mkdtemp(path.join(tmpdir(), 'twinspect-bench-'));
  try {
    const results: Record<string, unknown> = {};
    if (options.data.length > 0) {
      const model = options.model ?? path.join(work, 'all.twin');
      if (options.model === undefined) await train(options.data, model);
      if (options.keep !== undefined) await copyFile(model, options.keep);
      results['packs'] = await measurePacks(options.data, model);
    }
    if (options.cifar !== undefined) results['cifar'] = await measureCifar(options.cifar, work);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
