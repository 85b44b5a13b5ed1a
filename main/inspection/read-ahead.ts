/**
 * Runs `work` on the items of a source, at most `depth` of them at once or waiting, and gives the results in the
 * source's order. This is what lets the next picture be decoded while this one is scored, in bounded memory.
 * `work` must not reject: a rejection would end the stream and lose the items behind it.
 */
export async function* readAhead<Item, Result>(
  source: AsyncIterable<Item>,
  depth: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const items = source[Symbol.asyncIterator]();
  const started: Promise<Result>[] = [];
  let next: Promise<IteratorResult<Item>> | undefined;
  let ended = false;
  try {
    for (;;) {
      if (next === undefined && !ended && started.length < depth) next = items.next();
      const oldest = started[0];
      if (oldest === undefined && next === undefined) return;
      // Whichever comes first: a slow source must not hold back results that are ready.
      const event = await Promise.race([
        ...(next === undefined ? [] : [next.then((item) => ({ item }))]),
        ...(oldest === undefined ? [] : [oldest.then((result) => ({ result }))]),
      ]);
      if ('item' in event) {
        next = undefined;
        if (event.item.done === true) ended = true;
        else started.push(work(event.item.value));
      } else {
        started.shift();
        yield event.result;
      }
    }
  } finally {
    // Not awaited: a source that waits for its next item may never answer; its owner ends it.
    void Promise.resolve(items.return?.()).catch(() => undefined);
  }
}
