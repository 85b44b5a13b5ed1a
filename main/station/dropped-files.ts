import { randomUUID } from 'node:crypto';
import { setImmediate as otherWork } from 'node:timers/promises';
import { UserError } from '../../shared/errors.ts';
import type { PresentedPart } from '../inspection/pipeline.ts';
import type { InferenceMethods, PendingPart } from '../processes/inference-protocol.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import type { StationContext } from './context.ts';
import type { PartRecords } from './part-records.ts';

/** Parts made durable in one go: between two, the station does other things. */
const partsAtOnce = 200;
const retryMs = 200;
const keyPrefix = 'dropped:';

/**
 * Files that a person hands over, however many at once: each is a durable part before its picture is even read, so that
 * the queue outlives every crash.
 */
export class DroppedFiles {
  readonly #context: StationContext;
  readonly #records: PartRecords;
  readonly #supervisor: () => Supervisor<InferenceMethods>;

  constructor(context: StationContext, records: PartRecords, supervisor: () => Supervisor<InferenceMethods>) {
    this.#context = context;
    this.#records = records;
    this.#supervisor = supervisor;
  }

  /**
   * @param isWanted whether the run still is
   * @returns how many parts were taken: fewer than there are when the run is stopped meanwhile
   * @throws UserError `diskFull`: what was made durable until then is judged all the same
   */
  async take(
    projectId: string,
    found: readonly PresentedPart[],
    lot: string,
    isWanted: () => boolean,
  ): Promise<number> {
    // A person who hands a file over again wants it judged again, by the model that holds now.
    const drop = randomUUID();
    let count = 0;
    while (count < found.length && isWanted()) {
      const news = found.slice(count, count + partsAtOnce).map(({ file, path }, i) => {
        const recordKey = `${keyPrefix}${drop}:${String(count + i)}`;
        return { projectId, source: file, recordKey, serial: null, lot, path, fileState: null };
      });
      const answers = this.#records.presentAll(news);
      const parts = news.map(({ path, source, recordKey }, i) => ({ ...answers[i]!, path, source, recordKey }));
      await this.#hand(projectId, parts, isWanted);
      count += parts.length;
      await otherWork();
    }
    return count;
  }

  /** Hands parts to the process that judges. One that has just come up has them already: being told twice does no harm. */
  async #hand(projectId: string, parts: PendingPart[], isWanted: () => boolean): Promise<void> {
    while (parts.length > 0 && isWanted()) {
      try {
        await (await this.#supervisor().peer()).call('judgeParts', { projectId, parts });
        return;
      } catch (error) {
        if (!(error instanceof UserError) || !['processStopped', 'feedStopped'].includes(error.code)) throw error;
        await new Promise((done) => setTimeout(done, retryMs));
      }
    }
  }

  /** The run was stopped: what nobody has looked at yet gets its record. */
  async giveUp(projectId: string): Promise<void> {
    const left = this.#context.store.parts
      .undecided(projectId)
      .filter(({ recordKey }) => recordKey?.startsWith(keyPrefix) === true);
    for (let from = 0; from < left.length; from += partsAtOnce) {
      const partIds = left.slice(from, from + partsAtOnce).map(({ partId }) => partId);
      this.#records.decideNothing(projectId, partIds, 'The feed was stopped before it was judged.');
      await otherWork();
    }
  }
}
