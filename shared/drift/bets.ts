import type { StreamBaseline } from './types.ts';

/** How much of what is possible beyond the bound a bet is placed on. */
const boldness = [0.25, 0.6, 0.95];

/**
 * Books of several bets that run side by side. A bet's factor has a mean of at most 1 as long as nothing has changed, so
 * R, made by R <- (R + 1) x factor, grows by at most one a part on average (an e-detector, Shin, Ramdas and Rinaldo
 * 2022; Shiryaev and Roberts' statistic with bets for likelihood ratios). The mean of many such R does the same, and
 * P(it reaches c within m parts) is at most m / c.
 */
export class BetBooks {
  /** Shiryaev-Roberts statistics, one a bet. */
  readonly wealth: number[];
  /** Logarithm of each bet's gain since its best start (CUSUM), and that start: where the change seems to be. */
  readonly gain: number[];
  readonly start: number[];

  constructor(bets: number) {
    this.wealth = new Array<number>(bets).fill(0);
    this.gain = new Array<number>(bets).fill(0);
    this.start = new Array<number>(bets).fill(1);
  }

  /** @param part number of the part, from 1 */
  book(bet: number, factor: number, part: number): void {
    this.wealth[bet] = Math.min((this.wealth[bet]! + 1) * factor, 1e280);
    const gain = this.gain[bet]! + Math.log(factor);
    if (gain <= 0) {
      this.gain[bet] = 0;
      this.start[bet] = part + 1;
    } else {
      this.gain[bet] = gain;
    }
  }

  /** Mean of the bets' statistics. */
  get evidence(): number {
    return this.wealth.reduce((sum, value) => sum + value, 0) / this.wealth.length;
  }

  /** Gain of the strongest bet, and the part from which on it has been winning. */
  get best(): { gain: number; start: number } {
    let best = 0;
    this.gain.forEach((gain, bet) => {
      if (gain > this.gain[best]!) best = bet;
    });
    return { gain: this.gain[best]!, start: this.start[best]! };
  }

  /** Begins anew with the statistics, not with the estimate of the change. */
  restart(): void {
    this.wealth.fill(0);
  }
}

/**
 * Sequential test of one stream: does more of it lie beyond the levels than good parts and the allowed defects explain?
 *
 * For each side, level and boldness one bet a part: with q the largest share allowed beyond the level and p > q,
 * the factor is p/q for a part beyond it and (1-p)/(1-q) for one within.
 */
export class StreamBets extends BetBooks {
  /** @param levels number of levels that streams have at most */
  constructor(levels: number) {
    super(2 * levels * boldness.length);
  }

  /**
   * @param value    null when the part has none: nothing is bet
   * @param part     number of the part, from 1
   * @param defects  share of parts that may be anything
   */
  observe(value: number | null, baseline: StreamBaseline | null, defects: number, part: number): void {
    if (value === null || baseline === null) return;
    let bet = 0;
    for (const { rate, low, high } of baseline.levels) {
      const allowed = rate + (1 - rate) * defects;
      for (const beyond of [value < low, value > high]) {
        for (const bold of boldness) {
          const chance = allowed + (1 - allowed) * bold;
          this.book(bet, beyond ? chance / allowed : (1 - chance) / (1 - allowed), part);
          bet++;
        }
      }
    }
  }
}
