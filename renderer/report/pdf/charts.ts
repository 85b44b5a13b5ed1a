/** The reports' two charts, as vectors. They print grey-scale: no meaning hangs on a colour. */
import { html, type Html } from './page.ts';

const width = 680;
const height = 190;
const left = 52;
const bottom = 34;
const plotWidth = width - left - 12;
const plotHeight = height - bottom - 10;

export interface LinePoint {
  /** Text under the axis. */
  at: string;
  /** 0..100; null leaves a gap. */
  value: number | null;
}

/** Percentages over time. The axis starts at the tens below the lowest value: a yield rarely leaves the nineties. */
export function percentLine(points: readonly LinePoint[], yTitle: string, xTitle: string): Html {
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const low = Math.max(0, Math.floor((Math.min(100, ...values) - 1e-9) / 10) * 10);
  const x = (index: number): number =>
    left + (points.length < 2 ? plotWidth / 2 : (index * plotWidth) / (points.length - 1));
  const y = (value: number): number => 10 + plotHeight * (1 - (value - low) / (100 - low || 1));
  const ticks = [low, (low + 100) / 2, 100];
  const every = Math.max(1, Math.ceil(points.length / 6));
  const marks = points.flatMap(({ value }, index) => (value === null ? [] : [{ x: x(index), y: y(value) }]));
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img">
    ${ticks.map((tick) => html`<line x1="${left}" x2="${width - 12}" y1="${y(tick)}" y2="${y(tick)}" stroke="#d5d9e0" /><text x="${left - 6}" y="${y(tick) + 3}" text-anchor="end">${tick}</text>`)}
    ${points.flatMap(({ at }, index) => (index % every === 0 ? [html`<text x="${x(index)}" y="${height - bottom + 14}" text-anchor="middle">${at}</text>`] : []))}
    <polyline
      fill="none"
      stroke="#0b5cc4"
      stroke-width="1.6"
      points="${marks.map((mark) => `${mark.x.toFixed(1)},${mark.y.toFixed(1)}`).join(' ')}"
    />
    ${marks.map((mark) => html`<circle cx="${mark.x.toFixed(1)}" cy="${mark.y.toFixed(1)}" r="2" fill="#0b5cc4" />`)}
    <text x="12" y="${10 + plotHeight / 2}" text-anchor="middle" transform="rotate(-90 12 ${10 + plotHeight / 2})">
      ${yTitle}
    </text>
    <text x="${left + plotWidth / 2}" y="${height - 4}" text-anchor="middle">${xTitle}</text>
  </svg>`;
}

export interface Bar {
  label: string;
  count: number;
}

/** Counts from the most frequent down, each with its number. */
export function pareto(bars: readonly Bar[], xTitle: string): Html {
  const rowHeight = 18;
  const labelWidth = 170;
  const most = Math.max(1, ...bars.map(({ count }) => count));
  const total = 8 + rowHeight * bars.length + 18;
  return html`<svg class="chart" viewBox="0 0 ${width} ${total}" role="img">
    ${bars.map(({ label, count }, index) => {
      const y = 4 + rowHeight * index;
      const length = ((width - labelWidth - 60) * count) / most;
      return html`<text x="${labelWidth - 6}" y="${y + 12}" text-anchor="end">${label}</text
        ><rect
          x="${labelWidth}"
          y="${y + 2}"
          width="${length.toFixed(1)}"
          height="${rowHeight - 5}"
          fill="#c25a12"
        /><text x="${labelWidth + length + 6}" y="${y + 12}">${count}</text>`;
    })}
    <text x="${labelWidth}" y="${total - 4}">${xTitle}</text>
  </svg>`;
}
