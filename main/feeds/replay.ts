import { randomUUID } from 'node:crypto';
import { createRandom } from '../../shared/random.ts';
import type { FeedSource } from '../../shared/station/domain.ts';
import { listParts } from '../inspection/picture-files.ts';
import type { PresentedPart } from '../inspection/pipeline.ts';
import { pauseUntil, type FedPart, type FeedOptions } from './feed.ts';

type ReplaySource = Extract<FeedSource, { kind: 'replay' }>;

/** Between two looks for a folder that is gone. */
const retryMs = 2000;

/**
 * Presents the pictures of a folder again and again, as if a line ran: good and bad ones mixed, in the same order each
 * time. Every presentation is a part of its own.
 */
export async function* replayFeed(source: ReplaySource, options: FeedOptions): AsyncGenerator<FedPart> {
  const { signal, onNews } = options;
  const run = randomUUID();
  let count = 0;
  let lost = false;
  let dueMs = performance.now();
  while (!signal.aborted) {
    let files: PresentedPart[];
    try {
      files = mixed(await listParts([source.path]));
    } catch (error) {
      if (!lost) {
        const why = error instanceof Error ? error.message : String(error);
        onNews({ type: 'lost', message: `Nothing can be replayed: ${why}`, remedy: 'Choose a folder with pictures.' });
      }
      lost = true;
      await pauseUntil(retryMs, signal);
      continue;
    }
    if (lost) onNews({ type: 'back' });
    lost = false;
    for (const file of files) {
      await pauseUntil(dueMs - performance.now(), signal);
      if (signal.aborted) return;
      // A line that was slower than the interval isn't caught up with.
      dueMs = Math.max(dueMs, performance.now()) + source.intervalMs;
      count += 1;
      yield {
        ...file,
        recordKey: `replay:${run}:${String(count)}`,
        serial: null,
        lot: options.lot(),
        className: null,
      };
    }
    // Even at no interval, other work gets its turn.
    await pauseUntil(1, signal);
  }
}

/** A fixed shuffle: folders keep good and bad parts apart, a line doesn't. */
function mixed(files: readonly PresentedPart[]): PresentedPart[] {
  return createRandom(7).shuffle([...files]);
}
