// Makes a station with very many judged parts and measures the history's pages and counts, every combination of filters:
//   node bench/run.mjs bench/history.ts [--parts 1000000] [--folder <kept for the next run>]
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openStore, type Store } from '../main/store/store.ts';
import { blockSize, countTriggers, hourMs } from '../main/store/schema.ts';
import type { HistoryFilter } from '../shared/ipc/history.ts';

const { values: options } = parseArgs({
  options: { parts: { type: 'string', default: '1000000' }, folder: { type: 'string' } },
});
const count = Number(options.parts);
const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'twinspect-history-'));

const classes = ['class 0', 'class 1', 'class 2', 'class 3', 'class 4', 'class 5', 'class 6', 'class 7'];
const stations = ['Line 1', 'Line 2'];
const outcomes = [
  // verdict, person, share in 10,000
  ['pass', '', 9500],
  ['pass', 'pass', 10],
  ['pass', 'fail', 5],
  ['fail', '', 210],
  ['fail', 'fail', 75],
  ['fail', 'pass', 15],
  ['review', '', 15],
  ['review', 'pass', 80],
  ['review', 'fail', 60],
  ['noDecision', '', 30],
] as const;
const defects = ['crack', 'scratch', 'dent', 'stain'];
const partsPerLot = 2000;
const msPerPart = 6000;
const firstAt = Date.parse('2024-01-01T00:00:00Z');

const started = performance.now();
const store = await openStore(folder, { wholeCheckBytes: 0 });
const known = store.projects.list()[0];
const projectId = known?.id ?? make(store);
const seconds = (performance.now() - started) / 1000;
const bytes = statSync(join(folder, 'station.db')).size;
console.log(
  `${count} parts, ${(bytes / 1e9).toFixed(2)} GB, ${known === undefined ? `made in ${seconds.toFixed(0)} s` : 'made before'}`,
);
measure(store);
store.close();
if (options.folder === undefined && existsSync(folder)) rmSync(folder, { recursive: true, force: true });

/** One INSERT ... SELECT over a counter; what triggers would book row by row is added up afterwards. */
function make({ database, projects }: Store): string {
  const { id } = projects.create({ name: 'Bench', note: '', createdAt: new Date(firstAt).toISOString() });
  const lots = Math.ceil(count / partsPerLot);
  const indexes = database.all<{ name: string; sql: string }>(
    "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'parts' AND sql IS NOT NULL",
  );
  database.exec(
    'PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -500000',
  );
  database.exec('DROP TRIGGER parts_counted; DROP TRIGGER parts_regrouped; DROP TRIGGER parts_uncounted');
  for (const { name } of indexes) database.exec(`DROP INDEX ${name}`);
  database.exec(
    'CREATE TEMP TABLE combos(c INTEGER PRIMARY KEY, class TEXT, station TEXT, verdict TEXT, person TEXT, defect TEXT)',
  );
  // Shares by a table of 10,000 places: a hash of the part's number picks one.
  database.exec('CREATE TEMP TABLE places(place INTEGER PRIMARY KEY, verdict TEXT, person TEXT, outcome INTEGER)');
  let place = 0;
  for (const [i, [verdict, person, share]] of outcomes.entries())
    for (let n = 0; n < share; n++) database.run('INSERT INTO places VALUES (?, ?, ?, ?)', place++, verdict, person, i);
  database.transaction(() => {
    let c = 0;
    for (const className of classes)
      for (const station of stations)
        for (const [verdict, person] of outcomes)
          for (const defect of defects)
            database.run(
              'INSERT INTO combos VALUES (?, ?, ?, ?, ?, ?)',
              c++,
              verdict === 'noDecision' ? '' : className,
              station,
              verdict,
              person,
              person === 'fail' ? defect : '',
            );
  });
  const perLot = classes.length * stations.length * outcomes.length * defects.length;
  const mix = (salt: number): string => `((i * 2654435761 + ${salt}) % 4294967296 / 7)`;
  database.transaction(() => {
    // Combos that read the same share one group: the first one's number.
    database.exec(
      `CREATE TEMP TABLE firsts AS SELECT c, min(c) OVER (PARTITION BY class, station, verdict, person, defect) AS f FROM combos`,
    );
    database.exec('CREATE UNIQUE INDEX temp.firsts_by_c ON firsts(c)');
    database.exec(`INSERT INTO part_groups(id, project_id, by_lot, lot, class_name, station, verdict, person, defect_class)
      SELECT c + 1, '${id}', 0, '', class, station, verdict, person, defect FROM combos WHERE c IN (SELECT f FROM firsts)`);
    database.exec(`WITH RECURSIVE lot(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM lot WHERE n + 1 < ${lots})
      INSERT INTO part_groups(id, project_id, by_lot, lot, class_name, station, verdict, person, defect_class)
      SELECT (n + 1) * ${perLot} + c + 1, '${id}', 1, 'L' || n, class, station, verdict, person, defect
      FROM lot, combos WHERE c IN (SELECT f FROM firsts)`);
    database.exec(`WITH RECURSIVE counter(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < ${count}),
      drawn AS (SELECT i, (i / 500 % ${classes.length}) AS class, ${mix(11)} % ${stations.length} AS station,
        ${mix(77)} % 10000 AS place, ${mix(5)} % ${defects.length} AS defect FROM counter)
      INSERT INTO parts(id, project_id, source, serial, lot, station, shift, presented_at, class_name, decided_at, verdict,
        reason, pred_score, local_score, semantic_score, memory_score, review, fail, display_score, latency_ms, model_id,
        model_hash, picture_sha256, has_heat_map, person_verdict, person_name, defect_class, told, group_id, lot_group_id)
      SELECT i, '${id}', 'camera/' || i || '.png', 'C' || d.class || '-' || printf('%09d', i), 'L' || (i / ${partsPerLot}), k.station, 'Early',
        ${firstAt} + i * ${msPerPart}, nullif(k.class, ''), ${firstAt} + i * ${msPerPart} + 60, k.verdict,
        iif(k.verdict = 'noDecision', 'The picture is damaged.', NULL), 0.5 + (i % 97) / 60.0, 0.2, 0.1, 0.3, 1.0, 2.0,
        30.0, 21.5, 'model-000001', '${'ab'.repeat(32)}', printf('%064x', i), 0, nullif(k.person, ''),
        iif(k.person = '', NULL, 'Ann'), nullif(k.defect, ''), 1, f.f + 1,
        (i / ${partsPerLot} + 1) * ${perLot} + f.f + 1
      FROM drawn d CROSS JOIN places p ON p.place = d.place
        CROSS JOIN combos k ON k.c = ((d.class * ${stations.length} + d.station) * ${outcomes.length} + p.outcome) * ${defects.length} + d.defect
        CROSS JOIN firsts f ON f.c = k.c`);
    database.exec(
      `INSERT INTO group_hours(hour, group_id, parts) SELECT presented_at / ${hourMs}, group_id, count(*) FROM parts GROUP BY 1, 2`,
    );
    database.exec(
      `INSERT INTO lot_group_hours(group_id, hour, parts) SELECT lot_group_id, presented_at / ${hourMs}, count(*) FROM parts GROUP BY 1, 2`,
    );
    database.exec(`UPDATE part_groups SET parts = s.n FROM (SELECT group_id AS g, sum(parts) AS n FROM group_hours GROUP BY 1
      UNION ALL SELECT group_id, sum(parts) FROM lot_group_hours GROUP BY 1) s WHERE s.g = part_groups.id`);
    database.exec('DELETE FROM part_groups WHERE parts = 0');
    database.exec(`INSERT INTO part_blocks SELECT id / ${blockSize}, min(presented_at), max(presented_at), min(serial), max(serial)
      FROM parts GROUP BY 1`);
  });
  for (const { sql } of indexes) database.exec(sql);
  database.exec(countTriggers);
  database.exec(
    'PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; PRAGMA journal_mode = WAL',
  );
  return id;
}

interface Timing {
  ms: number;
  /** Processor time of this process: what the clock would show on a machine that does nothing else. */
  cpuMs: number;
  what: string;
}

function timed(what: string, work: () => unknown): Timing {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  work();
  const ms = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000, what };
}

function measure({ history, parts }: Store): void {
  const time = (share: number): string => new Date(firstAt + share * count * msPerPart).toISOString();
  const hour = new Date(Date.parse(time(0.31)) + hourMs).toISOString();
  const midLot = `L${Math.floor(count / partsPerLot / 2)}`;
  const midSerial = `C${Math.floor(count / 2 / 500) % classes.length}-${String(Math.floor(count / 2)).padStart(9, '0')}`;
  const combinations = product({
    time: [
      [null, null],
      [time(0.3), time(0.4)],
      [time(0.31), hour],
      [null, time(0.02)],
    ] as const,
    className: [null, 'class 1'],
    lot: [null, midLot],
    serial: [null, 'C1-', 'C5-0000', midSerial],
    station: [null, 'Line 2'],
    verdict: [null, 'pass', 'fail', 'review', 'noDecision'] as const,
    person: ['any', 'none', 'pass', 'fail', 'disagrees'] as const,
  });
  const filters = combinations.map(({ time: [from, to], ...rest }): HistoryFilter => ({
    ...rest,
    projectId,
    from,
    to,
  }));
  // The first query fills the caches of the connection.
  history.page(filters[0]!, null, 50);
  const pages: Timing[] = [];
  let rows = 0;
  for (const filter of filters)
    for (const before of [null, Math.floor(count / 2), Math.floor(count / 50)]) {
      pages.push(
        timed(`${describe(filter)} before ${before}`, () => {
          rows += history.page(filter, before, 50).parts.length;
        }),
      );
    }
  report(`${pages.length} pages of 50 (${rows} rows)`, pages);
  const counts: Timing[] = [];
  for (const filter of filters.filter((_, i) => i % 7 === 0))
    counts.push(timed(describe(filter), () => history.statistics(filter, 'day')));
  report(
    `${counts.filter(({ what }) => !what.includes('serial')).length} statistics without serial`,
    counts.filter(({ what }) => !what.includes('serial')),
  );
  report(
    'statistics with serial',
    counts.filter(({ what }) => what.includes('serial')),
  );
  const others: [string, () => unknown][] = [
    ['review queue', () => history.reviewQueue(projectId, 100)],
    ['lots', () => history.lots(projectId)],
    ['counters', () => parts.counters(projectId)],
    ['one part', () => parts.get(Math.floor(count / 3))],
  ];
  for (const [what, call] of others) {
    const { ms, cpuMs } = timed(what, call);
    console.log(`${what}: ${ms.toFixed(1)} ms (processor ${cpuMs.toFixed(1)} ms)`);
  }
}

function product<T extends Record<string, readonly unknown[]>>(choices: T): { [K in keyof T]: T[K][number] }[] {
  let all: Record<string, unknown>[] = [{}];
  for (const [key, values] of Object.entries(choices))
    all = all.flatMap((given) => values.map((value) => ({ ...given, [key]: value })));
  return all as { [K in keyof T]: T[K][number] }[];
}

function describe(filter: HistoryFilter): string {
  return Object.entries(filter)
    .filter(([key, value]) => key !== 'projectId' && value !== null && value !== 'any')
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' ');
}

function report(what: string, timings: Timing[]): void {
  console.log(what);
  for (const kind of ['ms', 'cpuMs'] as const) {
    const sorted = timings.toSorted((a, b) => a[kind] - b[kind]);
    const at = (share: number): string =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]![kind].toFixed(1);
    const name = kind === 'ms' ? 'clock' : 'processor';
    console.log(`  ${name}: median ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, largest ${at(1)} ms`);
    for (const timing of sorted.slice(-4).reverse()) console.log(`    ${timing[kind].toFixed(1)} ms  ${timing.what}`);
  }
}
