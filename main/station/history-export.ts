import { stringify } from 'csv-stringify/sync';
import writeXlsxFile, { type SheetData } from 'write-excel-file/node';
import { UserError } from '../../shared/errors.ts';
import type { HistoryFilter } from '../../shared/ipc/history.ts';
import type { StationPart } from '../../shared/station/domain.ts';
import type { Store } from '../store/store.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';

/** A table is built in memory; more rows than this belong into CSV. */
const mostSheetRows = 100_000;
const partsPerPiece = 500;

type Cell = string | number | boolean | null;

/** Names carry their unit where they have one; shares and places are 0 to 1, times UTC (ISO 8601). */
const columns: { [name: string]: (part: StationPart) => Cell } = {
  id: (part) => part.id,
  presentedAt: (part) => part.presentedAt,
  decidedAt: (part) => part.decidedAt,
  source: (part) => part.source,
  serial: (part) => part.serial,
  lot: (part) => part.lot,
  station: (part) => part.station,
  shift: (part) => part.shift,
  className: (part) => part.className,
  verdict: (part) => part.verdict,
  reason: (part) => part.reason,
  predScore: (part) => part.predScore,
  displayScore: (part) => part.displayScore,
  localScore: (part) => part.localScore,
  semanticScore: (part) => part.semanticScore,
  memoryScore: (part) => part.memoryScore,
  localShare: (part) => part.shares?.local ?? null,
  semanticShare: (part) => part.shares?.semantic ?? null,
  memoryShare: (part) => part.shares?.memory ?? null,
  hottestX: (part) => part.hottest?.x ?? null,
  hottestY: (part) => part.hottest?.y ?? null,
  hottestAreaPx: (part) => part.hottest?.areaPx ?? null,
  reviewThreshold: (part) => part.thresholds?.review ?? null,
  failThreshold: (part) => part.thresholds?.fail ?? null,
  latencyMs: (part) => part.latencyMs,
  modelHash: (part) => part.modelHash,
  pictureSha256: (part) => part.pictureSha256,
  notCoveredBecause: (part) => part.drift?.cause ?? null,
  personVerdict: (part) => part.personVerdict,
  personName: (part) => part.personName,
  defectClass: (part) => part.defectClass,
};
const columnNames = Object.keys(columns);
const rowOf = (part: StationPart): Cell[] => Object.values(columns).map((cell) => cell(part));

/**
 * Writes all parts of a filter into a file, newest first; the station goes on meanwhile.
 * @returns how many
 * @throws UserError `tooManyRows` for a table of more than 100,000 parts; what `writeFileAtomic` throws
 */
export async function exportHistory(
  store: Store,
  filter: HistoryFilter,
  format: 'csv' | 'xlsx' | 'json',
  path: string,
): Promise<number> {
  let count = 0;
  const counted = function* (): Generator<StationPart> {
    for (const part of store.history.all(filter, partsPerPiece)) {
      count++;
      yield part;
    }
  };
  if (format === 'xlsx') await writeFileAtomic(path, await sheet(counted()));
  else await writeFileAtomic(path, inPieces(format === 'csv' ? csvLines(counted()) : jsonLines(counted())));
  return count;
}

/** Byte order mark first: without it a spreadsheet takes UTF-8 for something else. */
function* csvLines(parts: Iterable<StationPart>): Generator<string> {
  yield `\uFEFF${stringify([columnNames])}`;
  for (const part of parts) yield stringify([rowOf(part).map(harmless)]);
}

/** A text that a spreadsheet would take for a formula is marked as text: serials come from outside. */
function harmless(cell: Cell): Cell {
  return typeof cell === 'string' && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
}

function* jsonLines(parts: Iterable<StationPart>): Generator<string> {
  let separator = '[\n';
  for (const part of parts) {
    yield separator + JSON.stringify(part);
    separator = ',\n';
  }
  yield separator === '[\n' ? '[]\n' : '\n]\n';
}

async function* inPieces(lines: Iterable<string>): AsyncGenerator<Uint8Array> {
  let piece: string[] = [];
  for (const line of lines) {
    piece.push(line);
    if (piece.length < partsPerPiece) continue;
    yield Buffer.from(piece.join(''));
    piece = [];
  }
  yield Buffer.from(piece.join(''));
}

/** What the columns hold, for those who open the table without the manual. */
const meanings: readonly (readonly [name: string, unit: string, meaning: string])[] = [
  ['id', '', 'Number of the part; it counts up'],
  ['presentedAt, decidedAt', 'local time', 'When the part came, and when it had its verdict'],
  ['source', '', 'File or camera'],
  ['serial, lot, station, shift, className', '', 'What the part is'],
  ['verdict', '', 'pass, fail, review or noDecision (to be treated as fail)'],
  ['predScore', 'raw score', 'The score that was decided on; compare with reviewThreshold and failThreshold'],
  ['displayScore', '50 = fail', 'The score as people see it'],
  ['localScore, semanticScore, memoryScore', 'raw score', 'Scores of the experts'],
  ['localShare, semanticShare, memoryShare', '0 to 1', 'What the score is made of'],
  ['hottestX, hottestY', '0 to 1', 'Most suspicious place, from the left and from the top'],
  ['hottestAreaPx', 'px²', 'Its pixels that reach the threshold it crossed'],
  ['reviewThreshold, failThreshold', 'raw score', 'The thresholds that held'],
  ['latencyMs', 'ms', 'From the picture to the verdict'],
  ['modelHash, pictureSha256', 'SHA-256', 'What judged, and what was judged'],
  ['notCoveredBecause', '', 'Set where the calibration did not cover the part'],
  ['personVerdict, personName, defectClass', '', 'What a person said of it'],
];
const times = new Set(['presentedAt', 'decidedAt']);
const widths: Readonly<Record<string, number>> = { source: 40, modelHash: 20, pictureSha256: 20, reason: 30, id: 8 };

/** A moment as a spreadsheet knows it: without a zone, so it's given the station's own clock. */
function localDate(iso: string): Date {
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
}

function sheetCell(name: string, value: Cell): SheetData[number][number] {
  if (typeof value !== 'string') return value;
  return times.has(name)
    ? { value: localDate(value), type: Date, format: 'yyyy-mm-dd hh:mm:ss' }
    : { value, type: String };
}

async function sheet(parts: Iterable<StationPart>): Promise<Buffer> {
  const head = (text: string) => ({ value: text, fontWeight: 'bold' as const });
  const data: SheetData = [columnNames.map(head)];
  for (const part of parts) {
    if (data.length > mostSheetRows)
      throw new UserError(
        'tooManyRows',
        `A table can take ${mostSheetRows.toLocaleString('en')} parts; there are more.`,
        'Export CSV, or choose a shorter time.',
      );
    data.push(rowOf(part).map((value, i) => sheetCell(columnNames[i]!, value)));
  }
  const about: SheetData = [
    ['Column', 'Unit', 'Meaning'].map(head),
    ...meanings.map((row) => row.map((value) => ({ value, type: String }))),
  ];
  return writeXlsxFile([
    {
      data,
      sheet: 'Parts',
      stickyRowsCount: 1,
      columns: columnNames.map((name) => ({ width: widths[name] ?? (times.has(name) ? 19 : 14) })),
    },
    { data: about, sheet: 'Columns', stickyRowsCount: 1, columns: [{ width: 42 }, { width: 12 }, { width: 76 }] },
  ]).toBuffer();
}
