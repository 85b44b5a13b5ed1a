import { normalQuantile } from '../calibration/distributions.ts';
import { BetBooks } from './bets.ts';
import type { StreamBaseline } from './types.ts';

/** A bet on high ranks: the integral of its pay-off from 0 to u, and its largest pay-off. The mean pay-off is 1. */
interface RankBet {
  paidUpTo(u: number): number;
  most: number;
}

/** Grows in a straight line with the rank: finds whatever moves most values a little. */
function straight(slope: number): RankBet {
  return { paidUpTo: (u) => u + slope * (u * u - u), most: 1 + slope };
}

const steps = 2048;
const capAt = 2.5;

/** Likelihood ratio of a normal value moved by `size` spreads, capped so that a few odd parts can't make a fortune. */
function normalShift(size: number): RankBet {
  const pay = Float64Array.from({ length: steps }, (_, i) =>
    Math.min(capAt, Math.exp(size * normalQuantile((i + 0.5) / steps) - (size * size) / 2)),
  );
  const sum = pay.reduce((total, value) => total + value, 0);
  const upTo = new Float64Array(steps + 1);
  pay.forEach((value, i) => (upTo[i + 1] = upTo[i]! + value / sum));
  return {
    paidUpTo: (u) => {
      const at = Math.min(steps - 1, Math.floor(u * steps));
      return upTo[at]! + (u * steps - at) * (upTo[at + 1]! - upTo[at]!);
    },
    most: (capAt * steps) / sum,
  };
}

const bets: readonly RankBet[] = [straight(0.5), straight(0.9), normalShift(0.5), normalShift(1)];
/** Share of its spread that a change must have beyond the dead zone before the bets can win within a shift. */
const leastFindable = 0.15;

/**
 * Sequential test of one stream by ranks: where does each part lie among the good parts and all parts of the shift so
 * far? As long as nothing has changed every rank is equally likely, one independent of the other (conformal p-values,
 * Vovk 2021), exactly, whatever the distribution and however few good parts there were; so no bound has to be paid for,
 * and a change of half a spread is found that no single level could show.
 */
export class RankBets extends BetBooks {
  /** Values of each class so far, sorted. */
  #seen = new Map<string, number[]>();

  constructor() {
    super(2 * bets.length);
  }

  /**
   * @param value   null when the part has none: nothing is bet
   * @param least   change that is too small to matter, in the stream's unit
   * @param defects share of parts that may be anything
   * @param part    number of the part, from 1
   */
  observe(
    className: string,
    value: number | null,
    baseline: StreamBaseline | null,
    least: number,
    defects: number,
    part: number,
  ): void {
    if (value === null || baseline === null) return;
    let seen = this.#seen.get(className);
    if (seen === undefined) this.#seen.set(className, (seen = [...baseline.values]));
    // Each side's bet sees the value nearer by the dead zone: that only lowers its pay.
    const dead = Math.max(0, least - leastFindable * baseline.spread);
    const places = seen.length + 1;
    const low = { from: below(seen, value + dead) / places, to: (notAbove(seen, value + dead) + 1) / places };
    const high = { from: below(seen, value - dead) / places, to: (notAbove(seen, value - dead) + 1) / places };
    bets.forEach(({ paidUpTo, most }, bet) => {
      const fair = 1 - defects + defects * most;
      const pay = (from: number, to: number): number => (paidUpTo(to) - paidUpTo(from)) / (to - from) / fair;
      this.book(2 * bet, pay(1 - low.to, 1 - low.from), part);
      this.book(2 * bet + 1, pay(high.from, high.to), part);
    });
    seen.splice(notAbove(seen, value), 0, value);
  }

  /** A new shift: statistics and ranks begin with the good parts alone. */
  override restart(): void {
    super.restart();
    this.#seen = new Map();
  }
}

/** How many are smaller. */
function below(sorted: readonly number[], value: number): number {
  return search(sorted, (other) => other < value);
}

/** How many are smaller or equal. */
function notAbove(sorted: readonly number[], value: number): number {
  return search(sorted, (other) => other <= value);
}

function search(sorted: readonly number[], isBefore: (value: number) => boolean): number {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (isBefore(sorted[middle]!)) from = middle + 1;
    else to = middle;
  }
  return from;
}
