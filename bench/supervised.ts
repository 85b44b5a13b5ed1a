/**
 * What labelled defects are worth: AUROC and recall on defects that nothing learned from, with 0, 1, 5, 10 and 20 labelled
 * ones, by both ways of using them: as y = 0 in the students' training, and in a head over the frozen scores.
 *
 *   node bench/run.mjs bench/supervised.ts --data DIR [--data DIR] [--shots 100] [--steps 300] [--counts 1,5,10,20]
 *     [--draws 20] [--threads 1]
 *
 * The first 20 defects of a seeded shuffle are the ones that may be labelled (1 of them, 5, ... each set within the next);
 * all others and the good test pictures judge. The head is fitted on the held-out good pictures and refused by its gate
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
  const judged = (goodScores: number[], defectScores: number[]): string => {
    const all = [...goodScores, ...defectScores];
    const truth = [...goodScores.map(() => 0), ...defectScores.map(() => 1)];
    const area = auroc(truth, all) ?? NaN;
    const [at0, at5] = [0, 0.05].map((rate) => recallAt(goodScores, defectScores, rate)) as [number, number];
    return `${area.toFixed(4)} | ${at0.toFixed(3)} | ${at5.toFixed(3)}`;
  };
  const fused = (rows: ReadonlyMap<number, ScoreRow>): string =>
    judged(
      rowsOf(rows, judges.goods).map((row) => row[0]!),
      rowsOf(rows, judges.defects).map((row) => row[0]!),
    );

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
  for (const count of counts) {
    const normals = rowsOf(plain, heldOut);
    const known = rowsOf(plain, labelled.slice(0, count));
    const head = fitHead(columns, normals, known);
    const golden = { normals, defects: known.map((row, learned) => ({ row, learned })) };
    const gate = gateHead(head, normals, known, golden);
    const used = gate.passes ? head : identityHead(columns, normals);
    const by = (pictures: readonly number[]): number[] => rowsOf(plain, pictures).map((row) => applyHead(used, row));
    const weightsText = head.weights.map((weight) => weight.toFixed(2)).join(' ');
    add(
      `| ${count} | head (${gate.passes ? '' : 'refused; '}weights ${weightsText}) | ${judged(by(judges.goods), by(judges.defects))} |`,
    );
  }
  for (const count of counts) add(`| ${count} | students, y = 0 | ${fused(await scoresWith(count))} |`);
  console.log(`\n${path.basename(dir)}\n\n${table.join('\n')}\n`);
  await teacher.close();
}
