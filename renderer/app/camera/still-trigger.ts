import { changedShare, coarseHeight, coarseWidth, motionBetween } from './look.ts';

/** What the trigger sees: nothing there, something moving, a part lying still that is taken now, or already taken. */
export type StillState = 'empty' | 'moving' | 'take' | 'taken';

/** Mean difference of neighbouring frames below which nothing moves; noise of a dim camera stays under it. */
const stillMotion = 1.6;
/** A part covers at least this share of the view. */
const leastPart = 0.012;
/** Frames without motion before a part counts as lying still. */
const stillFrames = 4;

/**
 * Fires once for every part that comes into view and lies still. What an empty view looks like is learned from the
 * first still frames, or told by {@link learnEmpty}; it follows slow changes of light while nothing is there. After it
 * fired, the part must move before it fires again: two like parts one after the other are two parts.
 */
export class StillTrigger {
  #empty: Uint8Array | null = null;
  #before: Uint8Array | null = null;
  #still = 0;
  #taken = false;
  readonly #cells: number;

  /** @param cells of the coarse pictures that are looked at */
  constructor(cells = coarseWidth * coarseHeight) {
    this.#cells = Math.max(1, cells);
  }

  /** The next still view is the empty one. */
  learnEmpty(): void {
    this.#empty = null;
    this.#still = 0;
    this.#taken = false;
  }

  /** The camera was away: its next frame is no motion, and what an empty view looks like is known. */
  goOn(): void {
    this.#before = null;
    this.#still = 0;
  }

  /** @param coarse luma averaged to the coarse size */
  next(coarse: Uint8Array): StillState {
    const before = this.#before;
    this.#before = coarse;
    if (before === null) return 'moving';
    if (motionBetween(before, coarse, this.#cells) > stillMotion) {
      this.#still = 0;
      this.#taken = false;
      return 'moving';
    }
    this.#still++;
    if (this.#still < stillFrames) return this.#taken ? 'taken' : 'moving';
    if (this.#empty === null) {
      this.#empty = Uint8Array.from(coarse);
      return 'empty';
    }
    if (changedShare(this.#empty, coarse, this.#cells) < leastPart) {
      for (let i = 0; i < coarse.length; i++) this.#empty[i]! += Math.round((coarse[i]! - this.#empty[i]!) / 8);
      return 'empty';
    }
    if (this.#taken) return 'taken';
    this.#taken = true;
    return 'take';
  }
}
