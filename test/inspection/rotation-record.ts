import { createHash } from 'node:crypto';
import { stateKey } from '../../main/inspection/folder-scan.ts';
import type { WatchedPart } from '../../main/inspection/folder-feed.ts';
import type { InspectionRecord } from '../../main/inspection/record.ts';

/** The n-th part of a made-up line. */
export function watchRecord(n: number): { record: InspectionRecord; part: WatchedPart & { stateKey: string } } {
  const relative = `teil ${String(n)} 부품.png`;
  const contentHash = createHash('sha256').update(relative).digest('hex');
  const found = { relative, size: 100 + n, mtimeMs: 1000 + n };
  return {
    part: { ...found, file: `/in/${relative}`, path: `/in/${relative}`, stateKey: stateKey(found) },
    record: {
      id: contentHash.slice(0, 32),
      file: `/in/${relative}`,
      className: 'tile',
      verdict: n % 4 === 0 ? 'fail' : 'pass',
      predScore: n,
      localScore: null,
      semanticScore: null,
      memoryScore: null,
      latencyMs: 1,
      timings: { decodeMs: 0, prepareMs: 0, detectMs: 1 },
      contentHash,
      modelHash: 'a'.repeat(64),
      inspectedAt: '2026-01-01T00:00:00.000Z',
    },
  };
}
