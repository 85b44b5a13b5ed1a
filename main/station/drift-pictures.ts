import { readFile } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';
import { parseDriftBaseline } from '../../shared/drift/parse.ts';
import type { DriftBaseline } from '../../shared/drift/types.ts';
import type { StationModel } from '../../shared/station/domain.ts';
import type { DriftBaselineRequest, InferenceMethods } from '../processes/inference-protocol.ts';
import type { Peer } from '../processes/rpc.ts';
import { writeJsonAtomic } from '../system/atomic-file.ts';
import type { StationContext } from './context.ts';
import { goldenPictures, goodUnseenPictures } from './golden.ts';

/** Good pictures measured for one model at most, evenly taken from all of them; of those that have to be scored, too. */
const mostPictures = 600;
const mostScored = 200;
/** With fewer scores behind a baseline it is made anew as soon as there are twice as many. */
const enoughScored = 40;

/**
 * How good parts of a model look and score: measured once, kept beside its package.
 * @returns null when there are too few good pictures
 */
export async function baselineFor(
  context: StationContext,
  model: StationModel,
  peer: Peer<InferenceMethods>,
): Promise<DriftBaseline | null> {
  const path = `${context.store.models.path(model.id)}.drift.json`;
  const pictures = goodPictures(context, model);
  const kept = await readKept(path, model.modelHash);
  if (kept !== null) {
    const scored = scoredOf(kept);
    const available = pictures.filter(({ isLearned }) => !isLearned).length;
    if (scored >= enoughScored || available < 2 * Math.max(4, scored)) return kept;
  }
  try {
    const baseline = await peer.call('driftBaseline', {
      projectId: model.projectId,
      modelHash: model.modelHash,
      pictures,
    });
    await writeJsonAtomic(path, baseline);
    return baseline;
  } catch (error) {
    if (error instanceof UserError && error.code === 'driftTooFew') return null;
    throw error;
  }
}

/** Good pictures behind a baseline's scores. */
export function scoredOf(baseline: DriftBaseline): number {
  return baseline.classes.reduce((sum, { streams }) => sum + (streams.predScore?.values.length ?? 0), 0);
}

async function readKept(path: string, modelHash: string): Promise<DriftBaseline | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const baseline = parseDriftBaseline(text, path);
    return baseline.modelHash === modelHash ? baseline : null;
  } catch {
    // Damaged, or an older program's: it's made anew.
    return null;
  }
}

/** What the model learned from, and good pictures that it has never seen: golden ones, and those given for calibration. */
function goodPictures(context: StationContext, model: StationModel): DriftBaselineRequest['pictures'] {
  const { store } = context;
  const { projectId, snapshotId } = model;
  const snapshot = (store.pictures.snapshot(snapshotId)?.pictures ?? []).filter(({ use }) => use === 'normal');
  const learned = new Set(snapshot.map(({ sha256 }) => sha256));
  const normals = store.pictures.forTraining(projectId, ['normal']).filter(({ sha256 }) => learned.has(sha256));
  const golden = goldenPictures(context, projectId);
  const { all } = goodUnseenPictures(context, projectId, learned, golden);
  const unseen = store.pictures
    .forTraining(projectId, ['golden', 'calibration'])
    .filter(({ sha256, className }) => all.has(sha256) && model.classes.includes(className));
  return [
    ...evenly(unseen, mostScored).map((picture) => ({ ...picture, isLearned: false })),
    ...evenly(normals, mostPictures).map((picture) => ({ ...picture, isLearned: true })),
  ].map(({ path, sha256, className, isLearned }) => ({ path, sha256, className, isLearned }));
}

function evenly<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, all.length / most);
  return Array.from({ length: Math.min(all.length, most) }, (_, i) => all[Math.floor(i * step)]!);
}
