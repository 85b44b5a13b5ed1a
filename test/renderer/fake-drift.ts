import { driftStreams } from '../../shared/drift/types.ts';
import type { DriftAlarmRow, StationDrift } from '../../shared/ipc/drift.ts';

/** A drift guard for the window's tests: calm, or with an alarm that somebody can end. */
export class FakeDrift {
  state: StationDrift;
  readonly ended: DriftAlarmRow[] = [];

  constructor(isAlarm: boolean) {
    const foundAt = new Date(Date.now() - 25 * 60_000).toISOString();
    this.state = {
      projectId: 'papers',
      watching: true,
      goodPictures: 240,
      scoredPictures: 48,
      parts: 1840,
      begunAt: foundAt,
      begunBecause: 'first',
      evidence: isAlarm ? 1 : 0.1,
      streams: driftStreams.map((stream) => ({
        stream,
        evidence: isAlarm && stream === 'brightness' ? 1 : 0.08,
        recentDeviation: 0.1,
        watched: !['shiftX', 'shiftY', 'rotation', 'likeness'].includes(stream),
      })),
      alarm: isAlarm
        ? {
            id: 4,
            projectId: 'papers',
            modelId: 'm3',
            cause: 'light',
            streams: ['brightness'],
            foundAt,
            sinceAt: foundAt,
            change: -21.4,
            detail: '',
            message: 'The light has changed.',
            parts: 212,
            ended: null,
          }
        : null,
    };
  }

  end(reason: string, by: string): StationDrift {
    const { alarm } = this.state;
    if (alarm !== null) {
      const at = new Date().toISOString();
      this.ended.unshift({ ...alarm, ended: { how: 'acknowledged', by, at, reason } });
    }
    this.state = { ...this.state, alarm: null, parts: 0, evidence: 0, begunBecause: 'acknowledged' };
    return this.state;
  }
}
