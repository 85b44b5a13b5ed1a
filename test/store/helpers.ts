import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { HistoryFilter } from '../../shared/ipc/history.ts';
import { openStore, type Store, type StoreOptions } from '../../main/store/store.ts';
import type { NewDecision } from '../../main/store/types.ts';
import { at } from './new-model.ts';

export { at, newModel } from './new-model.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

/** An empty folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'twinspect-store-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A store that is closed after the test (closing it earlier does no harm). */
export async function temporaryStore(folder = temporaryFolder(), options: StoreOptions = {}): Promise<Store> {
  const store = await openStore(folder, options);
  undo.push(() => store.close());
  return store;
}

export const passed: NewDecision = {
  verdict: 'pass',
  decidedAt: at,
  className: 'cup',
  reason: null,
  predScore: 0.2,
  localScore: 0.1,
  semanticScore: 0.1,
  memoryScore: null,
  shares: null,
  hottest: null,
  thresholds: { review: 1, fail: 2 },
  displayScore: 10,
  latencyMs: 12,
  modelId: null,
  modelHash: 'a'.repeat(64),
  pictureSha256: null,
  hasHeatMap: false,
  similarSha256: null,
};

export function noFilter(projectId: string): HistoryFilter {
  return {
    projectId,
    from: null,
    to: null,
    className: null,
    lot: null,
    serial: null,
    station: null,
    verdict: null,
    person: 'any',
  };
}

/** A part that came and was decided. */
export function judged(
  store: Store,
  projectId: string,
  part: { serial?: string; lot?: string; station?: string; presentedAt?: string },
  decision: Partial<NewDecision> = {},
): number {
  const { partId } = store.parts.present({
    projectId,
    source: `line/${part.serial ?? 'x'}.png`,
    serial: part.serial ?? null,
    lot: part.lot ?? null,
    station: part.station ?? 'Line 1',
    shift: null,
    presentedAt: part.presentedAt ?? at,
  });
  store.parts.decide(partId, { ...passed, ...decision });
  return partId;
}
