import type { ChannelOutput } from '../../../shared/ipc/contract.ts';
import type { Settings } from '../../../shared/ipc/settings.ts';
import { studyNoteText } from '../../../shared/msa/note-words.ts';
import type { ExactRate, Kappa, Rating } from '../../../shared/msa/types.ts';
import { verdictMark } from '../verdict-marks.ts';
import { facts, html, localTime, percent, reportPage, type Html } from './page.ts';
import { studyWords, type StudyWords } from './study-words.ts';
import type { ReportWords } from './report-words.ts';

type Results = ChannelOutput<'study.results'>;

export interface StudyReport extends Results {
  station: string;
  project: string;
  printedAt: string;
  /** sha256 to data address; null when the picture is not kept any more. */
  pictures: ReadonlyMap<string, string | null>;
}

/** An attribute agreement study on paper: who judged how well, who agrees with whom, and on which parts they differ. */
export function studyReportPage(report: StudyReport, words: ReportWords, language: Settings['language']): string {
  const { study, result } = report;
  const own = studyWords(language);
  const title = `${own.title}: ${study.name}`;
  const rate = (value: ExactRate): Html => rateCell(value, words);
  const rated = (value: ExactRate, rating: Rating): Html =>
    value.value === null ? rate(value) : html`${rate(value)}<br />${own.rating[rating]}`;
  const kappa = (value: Kappa): Html => kappaCell(value, own, words.locale);
  const body = html`<header><h1>${title}</h1></header>
    ${facts([
      [words.station, report.station],
      [words.project, report.project],
      [own.parts, own.partsOf(result.parts, result.defects, result.repeats)],
      [own.begun, `${localTime(study.createdAt)}, ${study.createdBy}`],
      ...(study.finishedAt === null ? [] : ([[own.finished, localTime(study.finishedAt)]] as const)),
      ...(study.model === null ? [] : ([[words.modelHash, study.model.modelHash]] as const)),
      [words.printed, localTime(report.printedAt)],
    ])}
    <h2>${own.eachAppraiser}</h2>
    <table>
      <thead>
        <tr>
          <th>${own.appraiser}</th>
          <th>${own.effectiveness}</th>
          <th>${own.escapes}</th>
          <th>${own.falseAlarms}</th>
          <th>${own.bothWays}</th>
          <th>Kappa</th>
        </tr>
      </thead>
      <tbody>
        ${result.appraisers.map(
          (one) =>
            html`<tr>
              <td>${one.appraiser}</td>
              <td>${rated(one.effectiveness, one.rating.effectiveness)}</td>
              <td>${rated(one.misses, one.rating.misses)}</td>
              <td>${rated(one.falseAlarms, one.rating.falseAlarms)}</td>
              <td>${one.mixed.count} / ${one.mixed.total}</td>
              <td>${kappa(one.kappaReference)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
    <p class="soft">${own.howRates}</p>
    <h2>${own.agreement}</h2>
    <table>
      <thead>
        <tr>
          <th>${own.whom}</th>
          <th>${own.agree}</th>
          <th>Kappa</th>
        </tr>
      </thead>
      <tbody>
        ${result.appraisers.map((one) =>
          line(
            own.withSelf(one.appraiser),
            rate(one.within),
            one.kappaWithin === null ? html`` : kappa(one.kappaWithin),
          ),
        )}
        ${result.pairs.map(({ a, b, kappa: pair }) =>
          line(`${a} – ${b}`, html`${percent(pair.observed, words.locale)}`, kappa(pair)),
        )}
        ${line(own.all, rate(result.between), result.fleiss === null ? html`` : html`${kappa(result.fleiss)} (Fleiss)`)}
        ${line(own.allRight, rate(result.system), html``)}
      </tbody>
    </table>
    <p class="soft">${own.howKappas(Math.round(100 * result.confidence))}</p>
    <p class="soft">${own.howSteps}</p>
    ${result.notes.map((note) => html`<p>${studyNoteText(note, language)}</p>`)}
    <h2>${own.disagreements}</h2>
    ${report.disagreements.length === 0 ? html`<p>${own.noDisagreements}</p>` : disagreementTable(report, own, words)}`;
  return reportPage(title, words.locale, body);
}

function disagreementTable({ disagreements, pictures }: StudyReport, own: StudyWords, words: ReportWords): Html {
  return html`<table>
    <thead>
      <tr>
        <th>${words.picture}</th>
        <th>${own.part}</th>
        <th>${own.reference}</th>
        <th>${own.answers}</th>
      </tr>
    </thead>
    <tbody>
      ${disagreements.map(({ part, sha256, className, reference, answers }) => {
        const address = pictures.get(sha256) ?? null;
        return html`<tr>
          <td>
            ${address === null ? html`–` : html`<img src="${address}" alt="${part}" style="width: 26mm; display: block" />`}
          </td>
          <td>${part}<br /><span class="soft">${className}</span></td>
          <td>${marked(reference, words)}</td>
          <td>
            ${answers.map(
              ({ appraiser, given }) =>
                html`<p>${appraiser}: ${given.map((answer) => html`${marked(answer, words)} `)}</p>`,
            )}
          </td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

function marked(verdict: 'pass' | 'fail', words: ReportWords): Html {
  return html`<span class="${verdict}">${{ html: verdictMark(verdict) }} ${words.verdicts[verdict]}</span>`;
}

function line(what: string, agreement: Html, kappa: Html): Html {
  return html`<tr>
    <td>${what}</td>
    <td>${agreement}</td>
    <td>${kappa}</td>
  </tr>`;
}

function rateCell({ count, total, value, low, high }: ExactRate, { locale, notMeasured }: ReportWords): Html {
  if (value === null) return html`${notMeasured}`;
  return html`<b>${percent(value, locale)}</b> (${count} / ${total})<br /><span class="soft"
      >${percent(low, locale)} – ${percent(high, locale)}</span
    >`;
}

function kappaCell({ value, low, high }: Kappa, { notDefined }: StudyWords, locale: string): Html {
  if (value === null) return html`${notDefined}`;
  const shown = (number: number): string =>
    number.toLocaleString(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const interval = low === null || high === null ? '' : ` (${shown(low)} – ${shown(high)})`;
  return html`<b>${shown(value)}</b>${interval}`;
}
