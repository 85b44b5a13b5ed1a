import type { HottestPlace, StationPart } from '../../../shared/station/domain.ts';
import { boundsOf } from '../../../shared/station/region-bounds.ts';
import { say } from '../../../shared/phrases/say.ts';
import { verdictMark } from '../verdict-marks.ts';
import { scoreBar } from './charts.ts';
import { decimal, facts, fileName, html, localTime, percent, reportPage, signature, type Html } from './page.ts';
import { personText, reasonText, reviewOnScale, scoreText, type HeldThresholds } from './thresholds.ts';
import type { ReportWords } from './report-words.ts';

/** What a person said of a part; nothing of it is ever overwritten. */
export interface PrintedAnswer {
  verdict: 'pass' | 'fail';
  defectClass: string | null;
  why: string | null;
  by: string;
  at: string;
  withdrawnAt: string | null;
}

export interface PartCertificate {
  station: string;
  project: string;
  printedAt: string;
  printedBy: string;
  part: StationPart;
  /** Data addresses; null when the picture is not kept any more. */
  picture: string | null;
  heatMap: string | null;
  similar: string | null;
  /** Null: nobody knows it any more. */
  modelVersion: number | null;
  /** The thresholds it was judged by; null where the record of them is gone. */
  held: HeldThresholds | null;
  /** Oldest first. */
  answers: readonly PrintedAnswer[];
  pxPerMm: number | null;
}

/** Everything that defends one part's verdict, on one page. */
export function partCertificate(certificate: PartCertificate, words: ReportWords): string {
  const { part, held } = certificate;
  const { shares, thresholds } = part;
  const name = part.serial ?? `#${part.id}`;
  const title = `${words.partCertificate}: ${name}`;
  const body = html`<header>
      <h1>${title}</h1>
      <span class="soft">${certificate.project}</span>
    </header>
    <p class="verdict ${part.verdict ?? 'noDecision'}">${verdictLine(part, words)}</p>
    ${part.reason === null ? html`` : html`<p>${words.reason}: ${say(part.reason, words.locale)}</p>`}
    ${part.drift ? html`<p><b>${words.notCovered(part.drift.cause)}</b></p>` : html``}
    <div class="pictures">
      ${figure(certificate.picture, null, words.picture)}
      ${certificate.heatMap === null ? html`` : figure(certificate.picture, certificate.heatMap, heatCaption(part, words))}
      ${figure(certificate.similar, null, words.similar)}
    </div>
    ${scoreStrip(part, words)}
    ${facts([
      [words.score, scoreLine(part, words)],
      ...(thresholds === null
        ? []
        : ([
            [words.reviewFrom, scoreText(thresholds.review, words)],
            [words.failFrom, scoreText(thresholds.fail, words)],
          ] as const)),
      ...(held === null
        ? []
        : ([
            [
              words.thresholds,
              `${localTime(held.at)}, ${personText(held.by, words)}: ${reasonText(held.reason, words)}`,
            ],
            [words.basis, say(held.basis, words.locale)],
          ] as const)),
      [words.model, certificate.modelVersion === null ? '–' : `v${certificate.modelVersion}`],
      [words.modelHash, part.modelHash ?? '–'],
      ...(shares === null
        ? []
        : (['local', 'semantic', 'memory'] as const).flatMap((kind) => shareOf(words[kind], shares[kind], words))),
      ...(part.hottest === null ? [] : ([[words.hottest, placeText(part.hottest, certificate, words)]] as const)),
      ...classDistance(part, words),
      ...geometry(part, words),
      [words.time, localTime(part.presentedAt)],
      [words.station, part.station || certificate.station],
      ...(part.lot === null ? [] : [[words.lot, part.lot] as const]),
      ...(part.serial === null ? [] : [[words.serial, part.serial] as const]),
      [words.class, part.className ?? '–'],
      [words.file, fileName(part.source)],
      [words.pictureHash, part.pictureSha256 ?? '–'],
      [words.printed, `${localTime(certificate.printedAt)}, ${certificate.printedBy}`],
    ])}
    <p class="soft">${words.scoreHint}</p>
    ${certificate.answers.length === 0 ? html`` : answerTable(certificate.answers, words)} ${signature(words)}`;
  return reportPage(title, words.locale, body, 'certificate');
}

function verdictLine({ verdict }: StationPart, words: ReportWords): Html {
  return verdict === null ? html`–` : html`${{ html: verdictMark(verdict) }} ${words.verdicts[verdict]}`;
}

function heatCaption({ thresholds }: StationPart, words: ReportWords): string {
  if (thresholds === null) return words.heatMap;
  const review = decimal(reviewOnScale(thresholds), words.locale, 0);
  return `${words.heatMap}. ${words.heatLegend(review, '50')}`;
}

function scoreStrip({ displayScore, thresholds }: StationPart, words: ReportWords): Html {
  if (displayScore === null || thresholds === null) return html``;
  return scoreBar(displayScore, reviewOnScale(thresholds), {
    review: words.verdicts.review,
    fail: words.verdicts.fail,
  });
}

function scoreLine({ displayScore, predScore }: StationPart, words: ReportWords): string {
  if (displayScore === null || predScore === null) return words.notMeasured;
  return `${decimal(displayScore, words.locale, 1)} (${words.rawScore} ${scoreText(predScore, words)})`;
}

function placeText({ x, y, areaPx }: HottestPlace, { pxPerMm }: PartCertificate, words: ReportWords): string {
  const area = words.placeAt(Math.round(100 * x), Math.round(100 * y), decimal(areaPx, words.locale, 0));
  return pxPerMm === null ? area : `${area} = ${decimal(areaPx / pxPerMm ** 2, words.locale, 2)} mm²`;
}

function classDistance({ classDistance: distance, classLimit }: StationPart, words: ReportWords): [string, string][] {
  if (typeof distance !== 'number' || typeof classLimit !== 'number') return [];
  const [is, limit] = [decimal(distance, words.locale, 1), decimal(classLimit, words.locale, 1)];
  return [[words.classDistance, words.unknownFrom(is, limit)]];
}

function geometry({ geometry: looked }: StationPart, words: ReportWords): [string, string][] {
  if (!looked) return [];
  const { x, y, width, height } = boundsOf(looked.region);
  const whole = (share: number): number => Math.round(100 * share);
  const part = words.lookedAtPart(whole(x), whole(y), whole(width), whole(height));
  const ignored = looked.ignore.length === 0 ? '' : `; ${words.ignoredPlaces(looked.ignore.length)}`;
  return [[words.lookedAt, `${part}${ignored}`]];
}

/** Models have these experts or not; one that isn't there says nothing. */
function shareOf(name: string, share: number | null, words: ReportWords): [string, string][] {
  return share === null ? [] : [[name, percent(share, words.locale, 0)]];
}

function answerTable(answers: readonly PrintedAnswer[], words: ReportWords): Html {
  return html`<h2>${words.person}</h2>
    <table class="keep">
      <tbody>
        ${answers.map(
          ({ verdict, defectClass, why, by, at, withdrawnAt }) =>
            html`<tr>
              <td class="short">${localTime(at)}</td>
              <td>${by}</td>
              <td><b>${words.verdicts[verdict]}</b> ${defectClass ?? ''}</td>
              <td>${why ?? ''} ${withdrawnAt === null ? '' : `${words.takenBack}: ${localTime(withdrawnAt)}`}</td>
            </tr>`,
        )}
      </tbody>
    </table>`;
}

function figure(picture: string | null, heatMap: string | null, caption: string): Html {
  if (picture === null) return html``;
  const layer = heatMap === null ? html`` : html`<img src="${heatMap}" alt="" />`;
  return html`<figure>
    <div class="stack"><img src="${picture}" alt="" />${layer}</div>
    <figcaption>${caption}</figcaption>
  </figure>`;
}
