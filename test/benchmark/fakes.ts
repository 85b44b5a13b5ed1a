import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DetectionResult } from '../../shared/detection.ts';
import type { TrainingEvent } from '../../shared/training-events.ts';
import type { PublishedPicture, PublishedSet } from '../../main/datasets/published-set.ts';
import type { Detector } from '../../main/detector/detector.ts';
import type { PreparedPicture } from '../../main/pictures/picture.ts';
import type { TrainingRequest, TrainingSummary } from '../../main/training/request.ts';

/** A set of `train` + `test` pictures a class; every second test picture of an industrial class is a defect. */
export function someSet(classes: readonly string[], train: number, test: number, industrial: boolean): PublishedSet {
  const pictures: PublishedPicture[] = [];
  for (const className of classes) {
    for (let i = 0; i < train; i++) {
      pictures.push({ path: `/${className}/train/${i}.png`, className, split: 'train', gtLabel: 'good' });
    }
    for (let i = 0; i < test; i++) {
      const bad = industrial && i % 2 === 1;
      pictures.push({
        path: `/${className}/test/${i}.png`,
        className,
        split: 'test',
        gtLabel: bad ? 'defect' : 'good',
        ...(bad && { defectType: 'crack' }),
      });
    }
  }
  return { classes: [...classes], pictures, warnings: [] };
}

/** Scores a picture by its first byte; the map is that value everywhere, twice as much in the top left quarter. */
export function byteDetector(side = 8, score: (value: number) => number = (value) => value): Detector {
  return {
    modelHash: 'f'.repeat(64),
    classes: ['a'],
    inputSize: side,
    provider: 'cpu',
    thresholdsFor: () => ({ review: 1, fail: 2 }),
    normalPicture: () => undefined,
    inspect: (pictures) => Promise.resolve(pictures.map((picture) => resultOf(picture, side, score))),
    close: () => Promise.resolve(),
  };
}

function resultOf({ data }: PreparedPicture, side: number, score: (value: number) => number): DetectionResult {
  const value = data[0]!;
  const anomalyMap = new Float32Array(side * side).fill(value);
  for (let y = 0; y < side / 2; y++) anomalyMap.fill(2 * value, y * side, y * side + side / 2);
  return {
    className: 'a',
    predScore: score(value),
    localScore: value,
    semanticScore: Number.NaN,
    memoryScore: 0,
    classDistance: 0,
    nearestNormal: -1,
    anomalyMap,
    mapWidth: side,
    mapHeight: side,
  };
}

/** Writes an empty model and says that it took a second. */
export async function fakeTraining(
  request: TrainingRequest,
  onEvent: (event: TrainingEvent) => void,
): Promise<TrainingSummary> {
  onEvent({ type: 'phase', phase: 'snapshot', message: 'Reading' });
  const list = JSON.parse(await readFile(request.dataDirs[0]!, 'utf8')) as { class: string }[];
  await mkdir(dirname(request.out), { recursive: true });
  await writeFile(request.out, 'model');
  return {
    modelPath: request.out,
    modelHash: 'a'.repeat(64),
    classes: [...new Set(list.map((row) => row.class))],
    elapsedMs: 1000,
    phases: [{ phase: 'features', elapsedMs: 1000 }],
    engine: { engine: 'onnxruntime 1.30.0', provider: 'cpu', threads: 1, mode: 'loop' },
    parity: { maxAbsDifference: 0, verdictFlips: 0, pictures: 1 },
  };
}
