/**
 * Takes parts from a feed and, first, from a queue of parts handed over one by one, and gives them on in stretches: a
 * stretch ends where the model changes, the next goes on with the very next part. Nothing is lost between two.
 */
export class PartQueue<Part> {
  readonly #extra: Part[] = [];
  readonly #feed: AsyncIterator<Part> | undefined;
  #next: Promise<IteratorResult<Part>> | undefined;
  #feedEnded: boolean;
  #closed = false;
  #cut = false;
  #wake: (() => void) | undefined;

  /** @param feed undefined: only what is handed over */
  constructor(feed: AsyncIterable<Part> | undefined) {
    this.#feed = feed?.[Symbol.asyncIterator]();
    this.#feedEnded = feed === undefined;
  }

  /** Parts handed over that nobody has taken yet. */
  get waiting(): number {
    return this.#extra.length;
  }

  push(...parts: Part[]): void {
    this.#extra.push(...parts);
    this.#wake?.();
  }

  /** Ends the present stretch after the parts that were given out. */
  cut(): void {
    this.#cut = true;
    this.#wake?.();
  }

  /** Nothing more is taken; parts handed over and not taken are given back. */
  close(): Part[] {
    this.#closed = true;
    this.#wake?.();
    void this.#feed?.return?.().catch(() => undefined);
    return this.#extra.splice(0);
  }

  /** Whether there will be a next stretch. */
  get done(): boolean {
    return this.#closed || (this.#feedEnded && this.#extra.length === 0 && this.#feed !== undefined);
  }

  async *stretch(): AsyncGenerator<Part> {
    this.#cut = false;
    for (;;) {
      if (this.#closed || this.#stopsHere()) return;
      const first = this.#extra.shift();
      if (first !== undefined) {
        yield first;
        continue;
      }
      if (this.#feedEnded && this.#feed !== undefined) return;
      const news = await this.#wait();
      if (news === undefined) continue;
      this.#next = undefined;
      if (news.done === true) this.#feedEnded = true;
      else if (this.#stopsHere()) this.#extra.unshift(news.value);
      else yield news.value;
    }
  }

  #stopsHere(): boolean {
    return this.#cut;
  }

  /** @returns the feed's next part, or undefined when something else is to be looked at first */
  async #wait(): Promise<IteratorResult<Part> | undefined> {
    const woken = new Promise<undefined>((resolve) => {
      this.#wake = () => resolve(undefined);
    });
    if (this.#feed === undefined || this.#feedEnded) return woken;
    this.#next ??= this.#feed.next();
    try {
      return await Promise.race([this.#next, woken]);
    } finally {
      this.#wake = undefined;
    }
  }
}
