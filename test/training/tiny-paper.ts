import path from 'node:path';
import { writeSeededWeights } from '../../main/backbones/seeded-weights.ts';
import type { TrainingRequest } from '../../main/training/request.ts';
import type { Workplace } from './small-data.ts';

/** A vision transformer that trains in a moment: four blocks of 16 channels, pictures of 6 patches square. */
export const tinySettings: Readonly<Record<string, unknown>> = {
  embedDim: 16,
  heads: 2,
  depth: 4,
  registers: 2,
  crop: 84,
  groups: [
    [1, 2],
    [3, 4],
  ],
  'decoder.depth': 4,
  batch: 4,
  'schedule.warmup': 2,
};

/** Writes the weights of a teacher with {@link tinySettings}. */
export async function writeTinyTeacher(place: Workplace, registers = 2): Promise<string> {
  const file = path.join(place.root, `teacher-${registers}.safetensors`);
  await writeSeededWeights(file, { size: { embedDim: 16, depth: 4, storedGrid: 5 }, registers, seed: 7 });
  return file;
}

/** A request that trains the paper's students behind the tiny teacher. */
export function tinyPaper(
  place: Workplace,
  backboneFile: string,
  changes: Partial<TrainingRequest> = {},
): TrainingRequest {
  return place.request({ preset: 'paper-small', instant: false, backboneFile, settings: tinySettings, ...changes });
}
