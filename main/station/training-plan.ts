import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import { locateBackbone } from '../backbones/store.ts';
import { presets } from '../nn/presets.ts';
import type { EngineReport } from '../processes/training-protocol.ts';
import type { StationContext } from './context.ts';
import { estimatePhases, isPaper, stationPresets, type StationPreset } from './training-rates.ts';

type Plan = ChannelOutput<'training.plan'>;

/** Below this a class can hardly be learned. */
const fewNormals = 10;

/**
 * What a training of the project would be: with what, how long, what speaks against it.
 * @param engines as found on this machine; none: not known yet
 */
export async function planTraining(
  context: StationContext,
  projectId: string,
  engines: readonly EngineReport[],
  isBusy: boolean,
): Promise<Plan> {
  const { store } = context;
  const classes = store.projects
    .classes(projectId)
    .map(({ name, normalPictures, goldenPictures }) => ({ name, normal: normalPictures, golden: goldenPictures }));
  const pictures = store.pictures.forTraining(projectId, ['normal', 'calibration']).length;
  const cpu = { name: 'cpu' as const, available: true, reason: null };
  return {
    classes,
    presets: await Promise.all(stationPresets.map((preset) => planPreset(context, preset, pictures))),
    engines: [{ name: 'auto', available: true, reason: null }, ...(engines.length === 0 ? [cpu] : engines)],
    problems: problemsOf(classes, isBusy),
  };
}

async function planPreset(
  context: StationContext,
  preset: StationPreset,
  pictures: number,
): Promise<Plan['presets'][number]> {
  const phases = estimatePhases(context, preset, pictures);
  const estimateMs = Math.round([...phases.values()].reduce((sum, ms) => sum + ms, 0));
  const reason = isPaper(preset)
    ? await locateBackbone(presets[preset as 'paper-small'].backbone, { checkHash: false }).then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      )
    : null;
  return { preset, estimateMs, available: reason === null, reason };
}

function problemsOf(classes: Plan['classes'], isBusy: boolean): string[] {
  const problems: string[] = [];
  if (!classes.some(({ normal }) => normal > 0)) problems.push('There are no pictures of good parts yet.');
  for (const { name, normal } of classes) {
    if (normal === 0) problems.push(`The class "${name}" has no pictures of good parts: it is left out.`);
    else if (normal < fewNormals) {
      problems.push(`The class "${name}" has only ${String(normal)} pictures of good parts: 20 or more are better.`);
    }
  }
  if (!classes.some(({ golden }) => golden > 0)) {
    problems.push('There is no golden set: whether the new model is worse than the one before can not be shown.');
  }
  if (isBusy) problems.push('A training is running already.');
  return problems;
}
