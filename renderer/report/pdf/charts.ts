/** The reports' charts, as vectors. They print grey-scale: no meaning hangs on a colour. */
import { clopperPearson } from '../../../shared/calibration/binomial.ts';
import { html, type Html } from './page.ts';

const width = 680;
const height = 190;
const left = 52;
const right = 12;
const bottom = 34;
const plotWidth = width - left - right;
const plotHeight = height - bottom - 10;
const inkColour = '#16191f';
const goodColour = '#0b5cc4';
const badColour = '#c25a12';

export interface YieldPoint {
  /** Text under the axis. */
  at: string;
  passed: number;
  parts: number;
}

/**
 * Share of passed parts over time, each with its exact 95 % interval and the number of parts it was counted on. The axis
 * starts at the tens below the lowest interval: a yield rarely leaves the nineties.
 */
export function yieldChart(points: readonly YieldPoint[], yTitle: string, xTitle: string, locale: string): Html {
  const marks = points.flatMap(({ passed, parts }, index) => {
    if (parts === 0) return [];
    const { low, high } = clopperPearson(passed, parts, 0.95);
    return [{ index, value: (100 * passed) / parts, low: 100 * low, high: 100 * high }];
  });
  const floor = Math.max(0, 10 * Math.floor((Math.min(90, ...marks.map(({ low }) => low)) - 1e-9) / 10));
  const x = (index: number): number => left + ((index + 0.5) * plotWidth) / points.length;
  const y = (value: number): number => 10 + plotHeight * (1 - (value - floor) / (100 - floor));
  const ticks = [floor, (floor + 100) / 2, 100];
  const every = Math.max(1, Math.ceil(points.length / 7));
  const showCounts = points.length <= 14;
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img">
    ${ticks.map((tick) => html`<line x1="${left}" x2="${width - right}" y1="${y(tick)}" y2="${y(tick)}" stroke="#d5d9e0" /><text x="${left - 6}" y="${y(tick) + 3}" text-anchor="end">${tick}</text>`)}
    ${points.flatMap(({ at }, index) => (index % every === 0 ? [html`<text x="${x(index)}" y="${height - bottom + 14}" text-anchor="middle">${at}</text>`] : []))}
    ${marks.map(({ index, low, high }) => html`<line x1="${fixed(x(index))}" x2="${fixed(x(index))}" y1="${fixed(y(low))}" y2="${fixed(y(high))}" stroke="#8d95a3" stroke-width="1.2" />`)}
    <polyline
      fill="none"
      stroke="${goodColour}"
      stroke-width="1.6"
      points="${marks.map(({ index, value }) => `${fixed(x(index))},${fixed(y(value))}`).join(' ')}"
    />
    ${marks.map(({ index, value }) => html`<circle cx="${fixed(x(index))}" cy="${fixed(y(value))}" r="2.6" fill="${goodColour}" />`)}
    ${showCounts ? marks.map(({ index, value }) => html`<text x="${fixed(x(index) + 6)}" y="${fixed(y(value) + 3)}">n = ${points[index]!.parts.toLocaleString(locale)}</text>`) : html``}
    ${axisTitles(yTitle, xTitle)}
  </svg>`;
}

export interface Bar {
  label: string;
  count: number;
}

/** Counts from the most frequent down, each with its number and what it and those above it come to, in percent. */
export function pareto(bars: readonly Bar[], xTitle: string): Html {
  const rowHeight = 18;
  const labelWidth = 170;
  const sum = bars.reduce((all, { count }) => all + count, 0);
  const most = Math.max(1, ...bars.map(({ count }) => count));
  const total = 8 + rowHeight * bars.length + 18;
  let above = 0;
  return html`<svg class="chart" viewBox="0 0 ${width} ${total}" role="img">
    ${bars.map(({ label, count }, index) => {
      const y = 4 + rowHeight * index;
      const length = ((width - labelWidth - 110) * count) / most;
      above += count;
      return html`<text x="${labelWidth - 6}" y="${y + 12}" text-anchor="end">${shortened(label, 30)}</text
        ><rect
          x="${labelWidth}"
          y="${y + 2}"
          width="${fixed(length)}"
          height="${rowHeight - 5}"
          fill="${badColour}"
        /><text x="${fixed(labelWidth + length + 6)}" y="${y + 12}"
          >${count} (Σ ${Math.round((100 * above) / Math.max(1, sum))} %)</text
        >`;
    })}
    <text x="${labelWidth}" y="${total - 4}">${xTitle}</text>
  </svg>`;
}

/** A score between the two thresholds on the scale of the operator's bar: 50 is the fail threshold, in the middle. */
export function scoreBar(score: number, reviewAt: number, names: { review: string; fail: string }): Html {
  const barWidth = 520;
  const x = (value: number): number => (barWidth * Math.min(100, Math.max(0, value))) / 100;
  const tick = (at: number, name: string, anchor: string): Html =>
    html`<line x1="${fixed(x(at))}" x2="${fixed(x(at))}" y1="8" y2="34" stroke="${inkColour}" stroke-width="2" /><text
        x="${fixed(x(at))}"
        y="46"
        text-anchor="${anchor}"
        >${name}</text
      >`;
  return html`<svg class="chart score" viewBox="-4 0 ${barWidth + 8} 50" role="img">
    <rect x="0" y="13" width="${barWidth}" height="16" fill="#e4e8ee" />
    <rect x="0" y="13" width="${fixed(x(score))}" height="16" fill="#6b7482" />
    ${reviewAt < 50 ? tick(reviewAt, names.review, 'end') : html``} ${tick(50, names.fail, 'start')}
  </svg>`;
}

/** Scores of good and of defective pictures on the operator's scale, and where the two thresholds stand. */
export function scoreHistogram(
  good: readonly number[],
  bad: readonly number[],
  reviewAt: number,
  words: { good: string; bad: string; x: string; y: string; review: string; fail: string },
): Html {
  const end = 150;
  const step = 5;
  const bins = end / step;
  const counted = (scores: readonly number[]): number[] => {
    const counts = new Array<number>(bins).fill(0);
    for (const score of scores) counts[Math.min(bins - 1, Math.max(0, Math.floor(score / step)))]! += 1;
    return counts;
  };
  const series = [
    { counts: counted(good), colour: goodColour, shift: 0 },
    { counts: counted(bad), colour: badColour, shift: 0.5 },
  ];
  const most = Math.max(1, ...series.flatMap(({ counts }) => counts));
  const x = (score: number): number => left + (plotWidth * score) / end;
  const y = (count: number): number => 24 + (plotHeight - 14) * (1 - count / most);
  const line = (at: number, dashes: string, name: string, anchor: string): Html =>
    html`<line
        x1="${fixed(x(at))}"
        x2="${fixed(x(at))}"
        y1="16"
        y2="${y(0)}"
        stroke="${inkColour}"
        stroke-width="1.4"
        stroke-dasharray="${dashes}"
      /><text x="${fixed(x(at) + (anchor === 'end' ? -4 : 4))}" y="22" text-anchor="${anchor}">${name}</text>`;
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img">
    ${[0, most].map((tick) => html`<line x1="${left}" x2="${width - right}" y1="${y(tick)}" y2="${y(tick)}" stroke="#d5d9e0" /><text x="${left - 6}" y="${y(tick) + 3}" text-anchor="end">${tick}</text>`)}
    ${[0, 25, 50, 75, 100, 125, 150].map((tick) => html`<text x="${fixed(x(tick))}" y="${height - bottom + 14}" text-anchor="${tick === end ? 'end' : 'middle'}">${tick === end ? `≥ ${end}` : tick}</text>`)}
    ${series.flatMap(({ counts, colour, shift }) => counts.flatMap((count, bin) => (count === 0 ? [] : [html`<rect x="${fixed(x((bin + shift) * step) + 0.6)}" y="${fixed(y(count))}" width="${fixed((plotWidth * step) / end / 2 - 0.8)}" height="${fixed(y(0) - y(count))}" fill="${colour}" />`])))}
    ${reviewAt < 50 ? line(reviewAt, '5 3', words.review, 'end') : html``} ${line(50, '', words.fail, 'start')}
    <rect x="${width - 190}" y="3" width="9" height="9" fill="${goodColour}" />
    <text x="${width - 177}" y="11">${words.good}</text>
    <rect x="${width - 100}" y="3" width="9" height="9" fill="${badColour}" />
    <text x="${width - 87}" y="11">${words.bad}</text>
    ${axisTitles(words.y, words.x)}
  </svg>`;
}

function axisTitles(yTitle: string, xTitle: string): Html {
  const middle = 10 + plotHeight / 2;
  return html`<text x="12" y="${middle}" text-anchor="middle" transform="rotate(-90 12 ${middle})">${yTitle}</text>
    <text x="${left + plotWidth / 2}" y="${height - 4}" text-anchor="middle">${xTitle}</text>`;
}

const fixed = (value: number): string => value.toFixed(1);
const shortened = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
