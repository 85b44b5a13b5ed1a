import { z } from 'zod';
import { trainingPhases, type TrainingPhase } from '../../shared/training-events.ts';
import type { TrainingState } from '../../shared/ipc/training.ts';
import { presets } from '../nn/presets.ts';
import type { StationContext } from './context.ts';

export type StationPreset = TrainingState['request']['preset'];
export const stationPresets: readonly StationPreset[] = [
  'instant',
  'embedded',
  'paper-small',
  'paper-base',
  'paper-large',
];

/** What the phases of a run cost on this machine: per picture, and for the students per step. */
const ratesSchema = z.object({
  featuresMsPerPicture: z.number().positive(),
  memoryMsPerPicture: z.number().positive(),
  studentsMsPerStep: z.number().positive(),
  restMsPerPicture: z.number().positive(),
});
type Rates = z.infer<typeof ratesSchema>;

/** Measured on two cores of a small server, one of them for training; own runs replace them. */
const usualRates: Record<'embedded' | 'paper', Rates> = {
  embedded: { featuresMsPerPicture: 20, memoryMsPerPicture: 100, studentsMsPerStep: 400, restMsPerPicture: 25 },
  paper: { featuresMsPerPicture: 1200, memoryMsPerPicture: 1, studentsMsPerStep: 30_000, restMsPerPicture: 4000 },
};
/** Work of a step against the small model's: about parameters times tokens. */
const paperFactor: Partial<Record<StationPreset, number>> = { 'paper-base': 4, 'paper-large': 13 };
const settingsKey = 'trainingRates';

export function isPaper(preset: StationPreset): boolean {
  return preset.startsWith('paper');
}

/** Expected time of each phase, milliseconds. */
export function estimatePhases(
  { store }: StationContext,
  preset: StationPreset,
  pictures: number,
): Map<TrainingPhase, number> {
  const family = isPaper(preset) ? 'paper' : 'embedded';
  const stored = z.record(z.string(), ratesSchema).safeParse(store.settings.get(settingsKey));
  const rates = (stored.success ? stored.data[family] : undefined) ?? usualRates[family];
  const factor = paperFactor[preset] ?? 1;
  const steps =
    preset === 'instant' ? 0 : preset === 'embedded' ? presets.embedded.students.steps : presets[preset].schedule.total;
  const rest = (rates.restMsPerPicture * pictures * factor) / 3;
  return new Map<TrainingPhase, number>([
    ['snapshot', 2 * pictures + 100],
    ['features', rates.featuresMsPerPicture * pictures * factor],
    ['memory', family === 'embedded' ? rates.memoryMsPerPicture * pictures : 0],
    ['students', rates.studentsMsPerStep * steps * factor],
    ['calibrate', rest],
    ['fuse', 100],
    ['parity', rest],
    ['package', rest],
  ]);
}

/** Remembers what a run really took. Phases that were answered from the cache say nothing. */
export function learnRates(
  { store }: StationContext,
  preset: StationPreset,
  pictures: number,
  phases: readonly { phase: string; elapsedMs: number }[],
): void {
  if (pictures === 0) return;
  const took = (name: TrainingPhase): number => phases.find(({ phase }) => phase === name)?.elapsedMs ?? 0;
  const family = isPaper(preset) ? 'paper' : 'embedded';
  const factor = paperFactor[preset] ?? 1;
  const stored = z.record(z.string(), ratesSchema).safeParse(store.settings.get(settingsKey));
  const all = stored.success ? stored.data : {};
  const before = all[family] ?? usualRates[family];
  const steps =
    preset === 'instant' ? 0 : preset === 'embedded' ? presets.embedded.students.steps : presets[preset].schedule.total;
  const features = took('features') / pictures / factor;
  all[family] = {
    featuresMsPerPicture: Math.max(features, before.featuresMsPerPicture / 2),
    memoryMsPerPicture: took('memory') > 0 ? took('memory') / pictures : before.memoryMsPerPicture,
    studentsMsPerStep: steps > 0 && took('students') > 0 ? took('students') / steps / factor : before.studentsMsPerStep,
    restMsPerPicture: Math.max(1, (took('calibrate') + took('parity') + took('package')) / pictures / factor),
  };
  store.settings.set(settingsKey, all);
}

/** Time that is left after a phase, and the share of the whole that lies before it. */
export function placeOf(
  estimate: ReadonlyMap<TrainingPhase, number>,
  phase: TrainingPhase,
): { beforeMs: number; ownMs: number; afterMs: number } {
  const at = trainingPhases.indexOf(phase);
  const sum = (phases: readonly TrainingPhase[]): number =>
    phases.reduce((all, name) => all + (estimate.get(name) ?? 0), 0);
  return {
    beforeMs: sum(trainingPhases.slice(0, at)),
    ownMs: estimate.get(phase) ?? 0,
    afterMs: sum(trainingPhases.slice(at + 1)),
  };
}
