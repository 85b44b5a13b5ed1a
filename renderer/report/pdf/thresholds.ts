import { displayScore } from '../../../shared/calibration/display-score.ts';
import type { Thresholds } from '../../../shared/detection.ts';
import type { ChannelOutput } from '../../../shared/ipc/contract.ts';
import { say } from '../../../shared/phrases/say.ts';
import type { StationModel } from '../../../shared/station/domain.ts';
import { decimal, html, localTime, type Html } from './page.ts';
import type { ReportWords } from './report-words.ts';

/** Thresholds that a model judged by, with all that defends them. An empty reason: they came with the model. */
export type HeldThresholds = ChannelOutput<'thresholds.history'>[number];

/** Every pair of thresholds a model has had, newest first. */
export function heldThresholds(model: StationModel, changes: readonly HeldThresholds[]): HeldThresholds[] {
  const { createdAt: at, createdBy: by, thresholds, basis } = model;
  return changes.length > 0 ? [...changes] : [{ at, by, thresholds, basis, reason: '' }];
}

/** Those that held when something was judged by them; undefined where the record of them is gone. */
export function heldWhen(
  held: readonly HeldThresholds[],
  { review, fail }: Thresholds,
  decidedAt: string | null,
): HeldThresholds | undefined {
  const same = held.filter(({ thresholds }) => thresholds.review === review && thresholds.fail === fail);
  return same.find(({ at }) => decidedAt === null || at <= decidedAt) ?? same[0];
}

export const scoreText = (value: number, words: ReportWords): string => decimal(value, words.locale, 4);
export const personText = (name: string, words: ReportWords): string => (name === 'system' ? words.byItself : name);
export const reasonText = (reason: string, words: ReportWords): string => (reason === '' ? words.asTrained : reason);
/** Where the review threshold lies on the scale whose fail threshold is 50. */
export const reviewOnScale = ({ review, fail }: Thresholds): number => displayScore(review, { fail });

/** A table of thresholds; `parts` adds how many parts were judged by each. */
export function thresholdTable(rows: readonly { held: HeldThresholds; parts?: number }[], words: ReportWords): Html {
  const withParts = rows.some(({ parts }) => parts !== undefined);
  return html`<table>
    <thead>
      <tr>
        <th class="number">${words.reviewFrom}</th>
        <th class="number">${words.failFrom}</th>
        ${withParts ? html`<th class="number">${words.parts}</th>` : html``}
        <th>${words.since}</th>
        <th>${words.setBy}</th>
        <th>${words.reason}</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ held, parts }) =>
          html`<tr>
              <td class="number">${scoreText(held.thresholds.review, words)}</td>
              <td class="number">${scoreText(held.thresholds.fail, words)}</td>
              ${withParts ? html`<td class="number">${parts === undefined ? '–' : decimal(parts, words.locale, 0)}</td>` : html``}
              <td class="short">${localTime(held.at)}</td>
              <td>${personText(held.by, words)}</td>
              <td>${reasonText(held.reason, words)}</td>
            </tr>
            <tr class="under">
              <td colspan="${withParts ? 6 : 5}">
                <span class="soft">${words.basis}: ${say(held.basis, words.locale)}</span>
              </td>
            </tr>`,
      )}
    </tbody>
  </table>`;
}
