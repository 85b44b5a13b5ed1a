import type { Verdict } from '../../shared/detection.ts';

/** A verdict is always a word, a shape and a colour together. */
export const verdictWords: Record<Verdict, string> = {
  pass: 'PASS',
  fail: 'FAIL',
  review: 'REVIEW',
  noDecision: 'NO DECISION',
};

/** Order of the counters and of the ranking's ties: what needs a person first. */
export const verdictOrder: readonly Verdict[] = ['fail', 'review', 'noDecision', 'pass'];

const outlines: Record<Verdict, string> = {
  pass: '<circle cx="12" cy="12" r="9.5"/>',
  fail: '<path d="M8.1 2.5h7.8l5.6 5.6v7.8l-5.6 5.6H8.1l-5.6-5.6V8.1z"/>',
  review: '<path d="M12 2.8 22 20.6H2z"/>',
  noDecision:
    '<g fill="none" stroke="currentColor" stroke-width="1.9"><path d="M1.5 7h21v10h-21z"/><path d="m3 16 7-9M9 16.5l7-9M15 16.5l6.5-8.5"/></g>',
};

/** The four shapes as SVG symbols `#mark-<verdict>`, to be used with {@link verdictMark}. */
export const verdictSymbols = `<svg width="0" height="0" aria-hidden="true" style="position:absolute">${verdictOrder
  .map((verdict) => `<symbol id="mark-${verdict}" viewBox="0 0 24 24">${outlines[verdict]}</symbol>`)
  .join('')}</svg>`;

/** The shape in the verdict's colour; the word stands beside it, so it's hidden from screen readers. */
export function verdictMark(verdict: Verdict): string {
  return `<svg class="mark ${verdict}" aria-hidden="true"><use href="#mark-${verdict}"/></svg>`;
}
