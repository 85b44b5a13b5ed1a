import { setTimeout as wait } from 'node:timers/promises';
import { makePlan } from '../../main/benchmark/plan.ts';
import { findProtocol } from '../../main/benchmark/protocols.ts';
import { RunFolder } from '../../main/benchmark/run-folder.ts';
import { runBenchmark } from '../../main/benchmark/run.ts';
import { pictureFromSamples } from '../../main/pictures/picture.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { byteDetector, fakeTraining, someSet } from './fakes.ts';

/**
 * A benchmark in a process of its own, to be killed: `node kill-worker.mjs FOLDER [STAND_STILL_IN]`. One line for each
 * training; the one of that number never ends.
 */
const standStillIn = Number(process.argv[3] ?? Infinity);
let trainings = 0;
const set = someSet(['bottle', 'wood', 'zipper'], 3, 6, true);
const request = { setting: 'single-class', preset: 'embedded', seeds: 4, shots: [], ablation: [], splits: [] } as const;
const plan = makePlan(findProtocol('mvtec-ad'), set, request, null);
const folder = await RunFolder.open(process.argv[2]!, {
  protocol: 'mvtec-ad',
  fingerprint: plan.fingerprint,
  resume: true,
});
const results = await runBenchmark({
  plan,
  folder,
  parts: {
    trainModel: async (asked, onEvent) => {
      process.stdout.write(`trained ${asked.out}\n`);
      await wait(++trainings >= standStillIn ? 1e8 : 5);
      return fakeTraining(asked, onEvent);
    },
    openDetector: () => Promise.resolve(byteDetector()),
    readPicture: async (path) => {
      await wait(1);
      const bytes = Buffer.from(path).reduce((sum, byte) => (sum * 31 + byte) & 255, 7);
      return pictureFromSamples(new Uint8Array(64).fill(bytes), 8, 8, 1);
    },
    prepare: (picture, size) => preparePicture(picture, { size }),
    countNumbers: () => Promise.resolve(1),
  },
  requestOf: () => ({ preset: 'embedded', engine: 'cpu', instant: true }),
  pixels: false,
  keepModels: false,
  signal: new AbortController().signal,
  onStep: () => undefined,
  onTraining: () => undefined,
  onResults: () => Promise.resolve(),
});
const aurocs = results.map(({ unit, groups }) => [unit.key, groups[0]!.metrics.imageAuroc]);
process.stdout.write(`done ${JSON.stringify(aurocs)}\n`);
