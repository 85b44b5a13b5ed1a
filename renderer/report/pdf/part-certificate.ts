import type { HottestPlace, StationPart } from '../../../shared/station/domain.ts';
import { say } from '../../../shared/phrases/say.ts';
import { verdictMark } from '../verdict-marks.ts';
import { facts, html, localTime, percent, reportPage, type Html } from './page.ts';
import type { ReportWords } from './words.ts';

export interface PartCertificate {
  station: string;
  project: string;
  printedAt: string;
  part: StationPart;
  /** Data addresses; null when the picture is not kept any more. */
  picture: string | null;
  heatMap: string | null;
  similar: string | null;
  shares: { local: number | null; semantic: number | null; memory: number | null } | null;
  model: { version: number; basis: string } | null;
}

/** Everything that defends one part's verdict, on one page. */
export function partCertificate(certificate: PartCertificate, words: ReportWords): string {
  const { part, shares, model } = certificate;
  const name = part.serial ?? `#${part.id}`;
  const title = `${words.partCertificate}: ${name}`;
  const body = html`<header><h1>${title}</h1></header>
    <p class="verdict ${part.verdict ?? 'noDecision'}">${verdictLine(part, words)}</p>
    ${part.reason === null ? html`` : html`<p>${words.reason}: ${say(part.reason, words.locale)}</p>`}
    ${part.drift ? html`<p><b>${words.notCovered(part.drift.cause)}</b></p>` : html``}
    ${part.personVerdict === null ? html`` : html`<p>${words.person}: <b>${words.verdicts[part.personVerdict]}</b> (${part.personName ?? ''}) ${part.defectClass ?? ''}</p>`}
    <div class="pictures">
      ${figure(certificate.picture, null, words.picture)}${figure(certificate.picture, certificate.heatMap, words.heatMap)}${figure(certificate.similar, null, words.memory)}
    </div>
    ${facts([
      [words.station, part.station || certificate.station],
      [words.project, certificate.project],
      [words.lot, part.lot ?? '–'],
      [words.serial, part.serial ?? '–'],
      [words.class, part.className ?? '–'],
      [words.time, localTime(part.presentedAt)],
      [words.score, scoreLine(part, words)],
      ...(part.thresholds === null
        ? []
        : ([
            [words.reviewFrom, part.thresholds.review.toFixed(4)],
            [words.failFrom, part.thresholds.fail.toFixed(4)],
          ] as const)),
      ...(shares === null
        ? []
        : ([
            [words.local, shareText(shares.local, words)],
            [words.semantic, shareText(shares.semantic, words)],
            [words.memory, shareText(shares.memory, words)],
          ] as const)),
      ...(part.hottest === null ? [] : ([[words.hottest, placeText(part.hottest, words)]] as const)),
      [words.model, model === null ? '–' : `v${model.version}`],
      [words.modelHash, part.modelHash ?? '–'],
      [words.basis, model === null ? '–' : say(model.basis, words.locale)],
      [words.pictureHash, part.pictureSha256 ?? '–'],
      [words.printed, localTime(certificate.printedAt)],
    ])}
    <p class="soft">${words.scoreHint}</p>`;
  return reportPage(title, words.locale, body);
}

function verdictLine({ verdict }: StationPart, words: ReportWords): Html {
  return verdict === null ? html`–` : html`${{ html: verdictMark(verdict) }} ${words.verdicts[verdict]}`;
}

function scoreLine({ displayScore, predScore }: StationPart, words: ReportWords): string {
  if (displayScore === null || predScore === null) return words.notMeasured;
  return `${displayScore.toFixed(1)} (${words.rawScore} ${predScore.toFixed(4)})`;
}

function placeText({ x, y, areaPx }: HottestPlace, words: ReportWords): string {
  return words.placeAt(Math.round(100 * x), Math.round(100 * y), areaPx.toLocaleString(words.locale));
}

function shareText(share: number | null, words: ReportWords): string {
  return share === null ? words.notMeasured : percent(share, words.locale, 0);
}

function figure(picture: string | null, heatMap: string | null, caption: string): Html {
  if (picture === null) return html``;
  const layer = heatMap === null ? html`` : html`<img src="${heatMap}" alt="" />`;
  return html`<figure>
    <div class="stack"><img src="${picture}" alt="" />${layer}</div>
    <figcaption>${caption}</figcaption>
  </figure>`;
}
