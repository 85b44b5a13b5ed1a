import { clopperPearson } from '../../../shared/calibration/binomial.ts';
import type { ChannelOutput } from '../../../shared/ipc/contract.ts';
import type { StationPart } from '../../../shared/station/domain.ts';
import { say } from '../../../shared/phrases/say.ts';
import { verdictMark, verdictOrder } from '../verdict-marks.ts';
import { pareto, percentLine } from './charts.ts';
import { facts, html, localTime, percent, reportPage, type Html } from './page.ts';
import type { ReportWords } from './words.ts';

export interface LotReport {
  station: string;
  project: string;
  /** Null: all lots. */
  lot: string | null;
  from: string | null;
  to: string | null;
  printedAt: string;
  statistics: ChannelOutput<'history.statistics'>;
  /** Parts that did not pass, newest first; at most as many as a person will read. */
  notPassed: readonly StationPart[];
  models: readonly { version: number; modelHash: string; basis: string }[];
}

/** What a lot did: counts with intervals, yield over time, defects, and every part that did not pass. */
export function lotReport(report: LotReport, words: ReportWords): string {
  const { counters } = report.statistics;
  const judged = counters.presented;
  const title = `${words.lotReport}: ${report.lot ?? words.allLots}`;
  const body = html`<header><h1>${title}</h1></header>
    ${facts([
      [words.station, report.station],
      [words.project, report.project],
      [words.period, `${time(report.from)} – ${time(report.to)}`],
      [words.printed, localTime(report.printedAt)],
    ])}
    <h2>${words.parts}: ${judged}</h2>
    <table>
      <thead>
        <tr>
          <th>${words.verdict}</th>
          <th class="number">${words.parts}</th>
          <th class="number">${words.share}</th>
          <th class="number">${words.interval}</th>
        </tr>
      </thead>
      <tbody>
        ${verdictOrder.map((verdict) => rateRow(word(verdict, words), counters[verdict], judged, words))}
      </tbody>
    </table>
    <h2>${words.yieldOverTime}</h2>
    ${yieldChart(report, words)}
    ${
      report.statistics.pareto.length === 0
        ? html``
        : html`<h2>${words.defects}</h2>
            ${pareto(
              report.statistics.pareto.map(({ defectClass, parts }) => ({ label: defectClass, count: parts })),
              words.partsAxis,
            )}`
    }
    <h2>${words.person}</h2>
    <table>
      <tbody>
        ${rateRow(html`${words.personAnswered}`, report.statistics.answered, judged, words)}
        ${rateRow(html`${words.falseRejects}`, report.statistics.falseRejects, report.statistics.answered, words)}
        ${rateRow(html`${words.escapes}`, report.statistics.escapes, report.statistics.answered, words)}
      </tbody>
    </table>
    <h2>${words.failedParts}</h2>
    ${partsTable(report.notPassed, counters.fail + counters.review + counters.noDecision, words)}
    <h2>${words.model}</h2>
    ${report.models.map((model) =>
      facts([
        [words.model, `v${model.version}`],
        [words.modelHash, model.modelHash],
        [words.basis, say(model.basis, words.locale)],
      ]),
    )}`;
  return reportPage(title, words.locale, body);
}

function time(iso: string | null): string {
  return iso === null ? '…' : localTime(iso);
}

function word(verdict: (typeof verdictOrder)[number], words: ReportWords): Html {
  return html`<span class="${verdict}">${{ html: verdictMark(verdict) }}</span> ${words.verdicts[verdict]}`;
}

function rateRow(label: Html, count: number, of: number, words: ReportWords): Html {
  if (of === 0) {
    return html`<tr>
      <td>${label}</td>
      <td class="number">${count}</td>
      <td class="number">–</td>
      <td class="number">–</td>
    </tr>`;
  }
  const { low, high } = clopperPearson(count, of, 0.95);
  return html`<tr>
    <td>${label}</td>
    <td class="number">${count} / ${of}</td>
    <td class="number">${percent(count / of, words.locale)}</td>
    <td class="number">${percent(low, words.locale)} – ${percent(high, words.locale)}</td>
  </tr>`;
}

function yieldChart({ statistics }: LotReport, words: ReportWords): Html {
  const points = statistics.yield.map(({ from, counters }) => ({
    at: localTime(from).slice(5),
    value: counters.presented === 0 ? null : (100 * counters.pass) / counters.presented,
  }));
  return points.length === 0
    ? html`<p class="soft">${words.none}</p>`
    : percentLine(points, words.yieldAxis, words.timeAxis);
}

function partsTable(parts: readonly StationPart[], total: number, words: ReportWords): Html {
  if (parts.length === 0) return html`<p class="soft">${words.none}</p>`;
  const rows = parts.map(
    (part) =>
      html`<tr>
        <td>${localTime(part.presentedAt)}</td>
        <td>${part.serial ?? part.source}</td>
        <td>${part.className ?? '–'}</td>
        <td>
          ${part.verdict === null ? '–' : word(part.verdict, words)}
          ${part.drift ? html`<p class="soft">${words.notCovered(part.drift.cause)}</p>` : html``}
        </td>
        <td class="number">${part.displayScore === null ? '–' : part.displayScore.toFixed(0)}</td>
        <td>
          ${part.personVerdict === null ? '–' : html`${words.verdicts[part.personVerdict]} (${part.personName ?? ''}) ${part.defectClass ?? ''}`}
        </td>
      </tr>`,
  );
  const left = total - parts.length;
  return html`<table>
      <thead>
        <tr>
          <th>${words.time}</th>
          <th>${words.serial}</th>
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
