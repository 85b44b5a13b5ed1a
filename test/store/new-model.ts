import type { NewModel } from '../../main/store/types.ts';

export const at = '2026-03-02T08:00:00.000Z';

/** A model as training hands it over; its package is not there. */
export function newModel(projectId: string, id: string): NewModel {
  return {
    id,
    projectId,
    fileName: `${id}.twin`,
    modelHash: 'b'.repeat(64),
    preset: 'instant',
    classes: ['cup'],
    snapshotId: 'snapshot',
    pictures: 3,
    createdAt: at,
    createdBy: 'Ann',
    engine: 'cpu',
    trainingMs: 1,
    thresholds: { review: 1, fail: 2 },
    basis: 'normals only',
    metrics: [],
    parity: { maxAbsDifference: 0, verdictFlips: 0, pictures: 3 },
    note: '',
    geometry: { region: null, ignore: [] },
  };
}
