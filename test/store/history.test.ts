import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { HistoryFilter } from '../../shared/ipc/history.ts';
import type { StationPart } from '../../shared/station/domain.ts';
import { createRandom } from '../../shared/random.ts';
import { HistoryStore } from '../../main/store/history.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { at, judged, noFilter, passed, temporaryStore } from './helpers.ts';
import fc from '../seeded-fast-check.ts';

/** The rule in its plainest form. */
function matches(part: StationPart, filter: HistoryFilter): boolean {
  const { person } = filter;
  const disagrees =
    (part.verdict === 'pass' && part.personVerdict === 'fail') ||
    (part.verdict === 'fail' && part.personVerdict === 'pass');
  return (
    part.projectId === filter.projectId &&
    (filter.from === null || part.presentedAt >= filter.from) &&
    (filter.to === null || part.presentedAt < filter.to) &&
    (filter.className === null || part.className === filter.className) &&
    (filter.lot === null || part.lot === filter.lot) &&
    (filter.serial === null || (part.serial ?? '').startsWith(filter.serial)) &&
    (filter.station === null || part.station === filter.station) &&
    (filter.verdict === null || part.verdict === filter.verdict) &&
    (person === 'any' ||
      (person === 'none' && part.personVerdict === null) ||
      (person === 'disagrees' ? disagrees : part.personVerdict === person))
  );
}

const minute = 60_000;
const start = Date.parse('2026-03-02T06:20:00Z');
const parts = 6000;

describe('history', () => {
  let store: Store;
  let all: StationPart[];
  let projectId: string;

  beforeAll(async () => {
    // This store lives longer than one test.
    store = await openStore(mkdtempSync(join(tmpdir(), 'twinspect-history-')));
    projectId = store.projects.create({ name: 'Cups', note: '', createdAt: at }).id;
    const other = store.projects.create({ name: 'Other', note: '', createdAt: at }).id;
    const random = createRandom(5);
    store.transaction(() => {
      for (let i = 0; i < parts; i++) {
        // The clock is set back by nine hours once, and by a day for a while.
        const drift = i > 2000 ? -540 * minute : 0;
        const lost = i > 3500 && i < 3600 ? -1440 * minute : 0;
        const pick = <T>(values: readonly T[]): T => values[Math.floor(random.next() * values.length)]!;
        const verdict = pick(['pass', 'pass', 'pass', 'fail', 'review', 'noDecision'] as const);
        const id = judged(
          store,
          random.next() < 0.1 ? other : projectId,
          {
            serial: pick([`S${i}`, `S${i}`, `T${i % 7}`, '']),
            lot: pick(['', `L${Math.floor(i / 500)}`, 'all']),
            station: pick(['Line 1', 'Line 2']),
            presentedAt: new Date(start + i * minute + drift + lost).toISOString(),
          },
          {
            verdict,
            className: verdict === 'noDecision' ? null : pick(['cup', 'mug']),
            predScore: verdict === 'noDecision' ? null : 1,
          },
        );
        if (random.next() < 0.2)
          store.parts.answer({
            partId: id,
            verdict: pick(['pass', 'fail']),
            defectClass: pick(['crack', null]),
            why: null,
            by: 'Ann',
            at,
          });
      }
    });
    all = Array.from({ length: parts }, (_, i) => store.parts.get(parts - i)!);
    return () => {
      store.close();
      rmSync(store.folder, { recursive: true, force: true });
    };
  });

  const times = fc.option(
    fc.integer({ min: -1500, max: parts + 60 }).map((i) => new Date(start + i * minute).toISOString()),
    { nil: null },
  );
  const among = (...values: string[]) => fc.option(fc.constantFrom(...values), { nil: null });
  const filters = fc.record({
    from: times,
    to: times,
    className: among('cup', 'mug', 'spoon'),
    lot: among('L1', 'L11', 'all', 'none'),
    serial: among('S', 'S1', 'S123', 'T3', 'U'),
    station: among('Line 1', 'Line 2'),
    verdict: fc.option(fc.constantFrom('pass' as const, 'fail' as const, 'review' as const, 'noDecision' as const), {
      nil: null,
    }),
    person: fc.constantFrom('any' as const, 'none' as const, 'pass' as const, 'fail' as const, 'disagrees' as const),
  });

  it.each([4000, 20])(
    'pages through exactly what matches, newest first (serials sorted up to %i)',
    (serialHitsSorted) => {
      const history = new HistoryStore(store.database, { serialHitsSorted });
      fc.assert(
        fc.property(
          filters,
          fc.integer({ min: 1, max: 60 }),
          fc.option(fc.integer({ min: 1, max: parts }), { nil: null }),
          (given, limit, before) => {
            const filter = { ...given, projectId };
            const expected = all.filter((part) => matches(part, filter) && (before === null || part.id < before));
            const page = history.page(filter, before, limit);
            expect(page.parts.map(({ id }) => id)).toEqual(expected.slice(0, limit).map(({ id }) => id));
            expect(page.more).toBe(expected.length > limit);
            if (page.more) {
              const next = history.page(filter, page.parts.at(-1)!.id, limit);
              expect(next.parts).toEqual(expected.slice(limit, 2 * limit));
            }
          },
        ),
        { numRuns: 400 },
      );
    },
  );

  it('counts exactly what matches', () => {
    fc.assert(
      fc.property(filters, fc.constantFrom('hour' as const, 'day' as const, 'week' as const), (given, bucket) => {
        const filter = { ...given, projectId };
        const expected = all.filter((part) => matches(part, filter));
        const found = store.history.statistics(filter, bucket);
        const count = (rule: (part: StationPart) => boolean): number => expected.filter(rule).length;
        expect(found.counters).toEqual({
          presented: expected.length,
          pass: count(({ verdict }) => verdict === 'pass'),
          fail: count(({ verdict }) => verdict === 'fail'),
          review: count(({ verdict }) => verdict === 'review'),
          noDecision: count(({ verdict }) => verdict === 'noDecision'),
          waitingForReview: count(({ verdict, personVerdict }) => verdict === 'review' && personVerdict === null),
        });
        expect(found.answered).toBe(count(({ personVerdict }) => personVerdict !== null));
        expect(found.falseRejects).toBe(
          count(({ verdict, personVerdict }) => verdict === 'fail' && personVerdict === 'pass'),
        );
        expect(found.escapes).toBe(
          count(({ verdict, personVerdict }) => verdict === 'pass' && personVerdict === 'fail'),
        );
        const cracks = count(({ defectClass }) => defectClass === 'crack');
        expect(found.pareto).toEqual(cracks === 0 ? [] : [{ defectClass: 'crack', parts: cracks }]);
        expect(found.yield.reduce((sum, { counters }) => sum + counters.presented, 0)).toBe(expected.length);
        for (const point of found.yield) {
          if (bucket === 'hour') expect(point.from).toMatch(/:00:00\.000Z$/);
          else expect(new Date(point.from).getHours()).toBe(0);
          if (bucket === 'week') expect(new Date(point.from).getDay()).toBe(1);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('keeps its booked counts true', () => {
    const counted = store.database.all(
      `SELECT group_id AS id, count(*) AS parts FROM parts GROUP BY 1
       UNION ALL SELECT lot_group_id, count(*) FROM parts GROUP BY 1 ORDER BY 1`,
    );
    expect(store.database.all('SELECT id, parts FROM part_groups WHERE parts <> 0 ORDER BY id')).toEqual(counted);
    expect(
      store.database.all(
        'SELECT group_id AS id, sum(parts) AS parts FROM (SELECT * FROM group_hours UNION ALL SELECT hour, group_id, parts FROM lot_group_hours) GROUP BY 1 HAVING sum(parts) <> 0 ORDER BY 1',
      ),
    ).toEqual(counted);
  });

  it('lists lots, newest first, and goes through everything for an export', () => {
    expect(store.history.lots(projectId)).toHaveLength(13);
    expect(store.history.lots(projectId)[0]).toBe('L11');
    const whole = [...store.history.all(noFilter(projectId), 97)].map(({ id }) => id);
    expect(whole).toEqual(all.filter((part) => part.projectId === projectId).map(({ id }) => id));
  });
});

describe('a clock that jumps backwards', () => {
  it('does not change the order of parts, nor hide any', async () => {
    const own = await temporaryStore();
    const { id: projectId } = own.projects.create({ name: 'Cups', note: '', createdAt: at });
    const ids = ['2026-03-02T10:00:00Z', '2026-03-02T11:00:00Z', '2019-01-01T00:00:00Z', '2026-03-02T11:01:00Z'].map(
      (presentedAt) => judged(own, projectId, { presentedAt }, { decidedAt: presentedAt }),
    );
    expect(own.history.page(noFilter(projectId), null, 10).parts.map(({ id }) => id)).toEqual(ids.toReversed());
    const range = { ...noFilter(projectId), from: '2026-03-02T00:00:00Z', to: '2026-03-03T00:00:00Z' };
    expect(own.history.page(range, null, 10).parts).toHaveLength(3);
    expect(own.history.statistics(range, 'hour').counters.presented).toBe(3);
    expect(
      own.history.page({ ...range, from: '2018-01-01T00:00:00Z', to: '2020-01-01T00:00:00Z' }, null, 10).parts,
    ).toHaveLength(1);
    // A decision "before" its part came is kept as the clocks said it.
    const odd = own.parts.present({
      projectId,
      source: 'x',
      serial: null,
      lot: null,
      station: 's',
      shift: null,
      presentedAt: at,
    });
    own.parts.decide(odd.partId, { ...passed, decidedAt: '2026-01-01T00:00:00Z' });
    expect(own.parts.get(odd.partId)?.decidedAt).toBe('2026-01-01T00:00:00.000Z');
    expect(() => own.history.page({ ...range, from: 'yesterday' }, null, 10)).toThrow(/no time/);
  });
});
