import { existsSync } from 'node:fs';
import { displayScore } from '../../shared/calibration/display-score.ts';
import type { PartDrift, Recipe } from '../../shared/station/domain.ts';
import type {
  DecidedAnswer,
  DecidedNews,
  PendingPart,
  PresentedAnswer,
  PresentedNews,
  UntoldPart,
} from '../processes/inference-protocol.ts';
import type { StationContext } from './context.ts';
import type { FeedStates } from './feed-states.ts';
import { readSettings, shiftAt } from './settings.ts';

const writeToldEveryMs = 1000;

/** The durable side of every part: it comes, gets its one verdict, and its outputs hear of it. */
export class PartRecords {
  readonly #context: StationContext;
  readonly #states: FeedStates;
  readonly #told = new Set<number>();
  readonly #timer: NodeJS.Timeout;

  constructor(context: StationContext, states: FeedStates) {
    this.#context = context;
    this.#states = states;
    this.#timer = setInterval(() => this.writeTold(), writeToldEveryMs);
    this.#timer.unref();
  }

  /** @throws UserError `diskFull` */
  present(news: PresentedNews): PresentedAnswer {
    return this.presentAll([news])[0]!;
  }

  /** All or none. @throws UserError `diskFull` */
  presentAll(all: readonly PresentedNews[]): PresentedAnswer[] {
    const { store, now } = this.#context;
    const settings = readSettings(this.#context);
    const presentedAt = now();
    const at = { station: settings.stationName, shift: shiftAt(settings, presentedAt), presentedAt };
    const written = store.transaction(() => all.map((news) => store.parts.present({ ...news, ...at })));
    // Counted once they are there for good: what a full disk took back has never been.
    for (const [i, { projectId }] of all.entries()) {
      const { partId, verdict, known } = written[i]!;
      if (verdict === null) this.#states.of(projectId).presented(partId, !known);
      this.#states.tellSoon(projectId);
    }
    return written.map(({ partId, verdict }) => ({ partId, verdict }));
  }

  /** @throws UserError `diskFull` */
  decide(news: DecidedNews & { drift?: PartDrift | null }): DecidedAnswer {
    const { store } = this.#context;
    const { projectId, partId, picture, predScore, thresholds } = news;
    const run = this.#states.of(projectId);
    const before = store.parts.get(partId);
    // Its answer was lost with the process before; the verdict stands.
    if (before !== null && before.verdict !== null) return { part: before, counters: { ...run.counters } };
    const decidedAt = this.#context.now();
    const part = store.transaction(() => {
      if (picture !== null) {
        const { sha256, extension, widthPx, heightPx, bytes } = picture;
        store.pictures.register({ sha256, extension, widthPx, heightPx, byteCount: bytes }, decidedAt);
      }
      return store.parts.decide(partId, {
        ...news,
        decidedAt,
        displayScore: predScore === null || thresholds === null ? null : displayScore(predScore, thresholds),
        pictureSha256: picture?.sha256 ?? null,
      });
    });
    run.decided(partId, part.verdict ?? 'noDecision', news.latencyMs);
    this.#states.tellSoon(projectId);
    return { part, counters: { ...run.counters } };
  }

  /** Parts that can't be presented again get their record. @param all also those whose file could be read again */
  giveUp(projectId: string, reason: string, all: boolean): void {
    const { store } = this.#context;
    for (const { partId, path, recordKey } of store.parts.undecided(projectId)) {
      if (!all && path !== null && recordKey !== null && existsSync(path)) continue;
      this.decideNothing(projectId, [partId], reason);
    }
  }

  /** All or none. @throws UserError `diskFull` */
  decideNothing(projectId: string, partIds: readonly number[], reason: string): void {
    const { store, now } = this.#context;
    store.transaction(() => {
      for (const partId of partIds) store.parts.decideNothing(partId, reason, now());
    });
    for (const partId of partIds) this.#states.of(projectId).decided(partId, 'noDecision', 0);
  }

  /** Parts whose file can be judged again. */
  pending(projectId: string): PendingPart[] {
    return this.#context.store.parts
      .undecided(projectId)
      .flatMap(({ partId, path, source, recordKey }) =>
        path === null || recordKey === null ? [] : [{ partId, path, source, recordKey }],
      );
  }

  /** Decided parts that the recipe's outputs may not have heard of. */
  untold(projectId: string, recipe: Recipe | null): UntoldPart[] {
    this.writeTold();
    const hasOutputs = recipe !== null && (recipe.outputFolder !== null || movesOriginals(recipe));
    if (!hasOutputs) return [];
    const { store } = this.#context;
    return store.parts.untold(projectId).map((part) => ({
      part,
      picturePath: part.pictureSha256 === null ? null : store.pictures.path(part.pictureSha256),
    }));
  }

  told(partId: number): void {
    this.#told.add(partId);
  }

  /** In one go: a commit for each part more would slow the line. */
  writeTold(): void {
    if (this.#told.size === 0) return;
    const { store } = this.#context;
    try {
      store.transaction(() => {
        for (const partId of this.#told) store.parts.told(partId);
      });
      this.#told.clear();
    } catch {
      // A full disk: it's tried again; at worst outputs hear of a part twice, which they know how to take.
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.writeTold();
  }
}

function movesOriginals({ source }: Recipe): boolean {
  return source.kind === 'folder' && source.originals === 'move';
}
