import { clopperPearson } from '../../../shared/calibration/binomial.ts';
import type { ChannelOutput } from '../../../shared/ipc/contract.ts';
import type { HistoryFilter } from '../../../shared/ipc/history.ts';
import type { StationPart } from '../../../shared/station/domain.ts';
import { verdictMark, verdictOrder } from '../verdict-marks.ts';
import { pareto, yieldChart } from './charts.ts';
import {
  decimal,
  facts,
  fileName,
  html,
  localDay,
  localTime,
  percent,
  reportPage,
  signature,
  type Html,
} from './page.ts';
import { thresholdTable, type HeldThresholds } from './thresholds.ts';
import type { ReportWords } from './report-words.ts';

/** A model that judged parts of the report, with the thresholds they were judged by. */
export interface ReportedModel {
  version: number;
  modelHash: string;
  thresholds: readonly { held: HeldThresholds; parts: number }[];
}

export interface LotReport {
  station: string;
  project: string;
  /** What the parts are limited to. */
  filter: HistoryFilter;
  printedAt: string;
  printedBy: string;
  statistics: ChannelOutput<'history.statistics'>;
  bucket: 'hour' | 'day' | 'week';
  /** When the first and the last part came; null: there is none. */
  span: { first: string; last: string } | null;
  /** Parts that did not pass, newest first; at most as many as a person will read. */
  notPassed: readonly StationPart[];
  models: readonly ReportedModel[];
  /** Set when there are more parts than the report reads: then models and parts are those of the newest so many. */
  onlyNewest: number | null;
}

/** What a lot did: counts with intervals, yield over time, defects, every part that did not pass, and what it was judged by. */
export function lotReport(report: LotReport, words: ReportWords): string {
  const { statistics, filter } = report;
  const { counters } = statistics;
  const judged = counters.presented;
  const title = `${words.lotReport}: ${filter.lot ?? words.allLots}`;
  const body = html`<header><h1>${title}</h1></header>
    ${facts([
      [words.station, report.station],
      [words.project, report.project],
      ...(filter.from === null && filter.to === null
        ? []
        : ([[words.period, `${time(filter.from)} – ${time(filter.to)}`]] as const)),
      ...(report.span === null
        ? []
        : ([[words.firstAndLast, `${localTime(report.span.first)} – ${localTime(report.span.last)}`]] as const)),
      ...selection(filter, words),
      [words.printed, localTime(report.printedAt)],
      [words.printedBy, report.printedBy],
    ])}
    <h2>${words.parts}: ${decimal(judged, words.locale, 0)}</h2>
    ${rateTable(
      words.verdict,
      verdictOrder.map((verdict) => ({ label: word(verdict, words), count: counters[verdict], of: judged })),
      words,
    )}
    ${yieldOverTime(report, words)}
    ${
      statistics.pareto.length === 0
        ? html``
        : html`<div class="keep">
            <h2>${words.defects}</h2>
            ${pareto(
              statistics.pareto.map(({ defectClass, parts }) => ({ label: defectClass, count: parts })),
              words.partsAxis,
            )}
          </div>`
    }
    <h2>${words.person}</h2>
    ${rateTable(
      words.what,
      [
        { label: html`${words.personAnswered}`, count: statistics.answered, of: judged },
        { label: html`${words.falseRejects}`, count: statistics.falseRejects, of: statistics.answered },
        { label: html`${words.escapes}`, count: statistics.escapes, of: statistics.answered },
      ],
      words,
    )}
    <h2>${words.model}</h2>
    ${report.onlyNewest === null ? html`` : html`<p class="soft">${words.onlyNewest(decimal(report.onlyNewest, words.locale, 0))}</p>`}
    ${report.models.length === 0 ? html`<p class="soft">${words.none}</p>` : html``}
    ${report.models.map(
      (model) =>
        html`${facts([
          [words.model, `v${model.version}`],
          [words.modelHash, model.modelHash],
        ])}
        ${thresholdTable(model.thresholds, words)}`,
    )}
    <h2>${words.failedParts}</h2>
    ${partsTable(report.notPassed, counters.fail + counters.review + counters.noDecision, words)} ${signature(words)}`;
  return reportPage(title, words.locale, body);
}

function time(iso: string | null): string {
  return iso === null ? '…' : localTime(iso);
}

/** A report of some parts only must say so. */
function selection(filter: HistoryFilter, words: ReportWords): [string, string][] {
  const { className, serial, station, verdict, person } = filter;
  const conditions = [
    ...(className === null ? [] : [`${words.class}: ${className}`]),
    ...(station === null ? [] : [`${words.station}: ${station}`]),
    ...(serial === null ? [] : [words.serialBegins(serial)]),
    ...(verdict === null ? [] : [`${words.verdict}: ${words.verdicts[verdict]}`]),
    ...(person === 'any' ? [] : [words.personIs[person]]),
  ];
  return conditions.length === 0 ? [] : [[words.selection, conditions.join('; ')]];
}

function word(verdict: (typeof verdictOrder)[number], words: ReportWords): Html {
  return html`<span class="short"
    ><span class="${verdict}">${{ html: verdictMark(verdict) }}</span> ${words.verdicts[verdict]}</span
  >`;
}

interface RateRow {
  label: Html;
  count: number;
  of: number;
}

function rateTable(head: string, rows: readonly RateRow[], words: ReportWords): Html {
  return html`<table class="keep">
    <thead>
      <tr>
        <th>${head}</th>
        <th class="number">${words.parts}</th>
        <th class="number">${words.share}</th>
        <th class="number">${words.interval}</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map((row) => rateRow(row, words))}
    </tbody>
  </table>`;
}

function rateRow({ label, count, of }: RateRow, { locale }: ReportWords): Html {
  const whole = (value: number): string => decimal(value, locale, 0);
  if (of === 0) {
    return html`<tr>
      <td>${label}</td>
      <td class="number">${whole(count)}</td>
      <td class="number">–</td>
      <td class="number">–</td>
    </tr>`;
  }
  const { low, high } = clopperPearson(count, of, 0.95);
  return html`<tr>
    <td>${label}</td>
    <td class="number short">${whole(count)} / ${whole(of)}</td>
    <td class="number short">${percent(count / of, locale)}</td>
    <td class="number short">${percent(low, locale)} – ${percent(high, locale)}</td>
  </tr>`;
}

function yieldOverTime({ statistics, bucket }: LotReport, words: ReportWords): Html {
  const points = statistics.yield.map(({ from, counters }) => ({
    at: bucket === 'hour' ? localTime(from).slice(5, 16) : localDay(from),
    passed: counters.pass,
    parts: counters.presented,
  }));
  // One point is the table above once more.
  if (points.length < 2) return html``;
  return html`<div class="keep">
    <h2>${words.yieldOverTime}</h2>
    ${yieldChart(points, words.yieldAxis, words.timeAxis, words.locale)}
  </div>`;
}

function partsTable(parts: readonly StationPart[], total: number, words: ReportWords): Html {
  if (parts.length === 0) return html`<p class="soft">${words.none}</p>`;
  const withSerial = parts.some(({ serial }) => serial !== null);
  const rows = parts.map(
    (part) =>
      html`<tr>
        <td class="short">${localTime(part.presentedAt)}</td>
        <td class="number">#${part.id}</td>
        ${withSerial ? html`<td class="file">${part.serial ?? '–'}</td>` : html``}
        <td class="file">${fileName(part.source)}</td>
        <td>${part.className ?? '–'}</td>
        <td>
          ${part.verdict === null ? '–' : word(part.verdict, words)}
          ${part.drift ? html`<p class="soft">${words.notCovered(part.drift.cause)}</p>` : html``}
        </td>
        <td class="number">${part.displayScore === null ? '–' : decimal(part.displayScore, words.locale, 0)}</td>
        <td>
          ${part.personVerdict === null ? '–' : html`${words.verdicts[part.personVerdict]} (${part.personName ?? ''}) ${part.defectClass ?? ''}`}
        </td>
      </tr>`,
  );
  const left = total - parts.length;
  return html`<table class="parts">
      <thead>
        <tr>
          <th>${words.time}</th>
          <th class="number">#</th>
          ${withSerial ? html`<th>${words.serial}</th>` : html``}
          <th>${words.file}</th>
          <th>${words.class}</th>
          <th>${words.verdict}</th>
          <th class="number">${words.score}</th>
          <th>${words.person}</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
    ${left > 0 ? html`<p class="soft">${words.more(left)}</p>` : html``}`;
}
