import { createHash } from 'node:crypto';
import { auroc } from '../../shared/metrics/ranking.ts';
import type { WatchedEvent } from '../../shared/training-events.ts';
import type { Dataset } from '../datasets/dataset.ts';
import type { FeatureStore, FeatureSource } from './feature-store.ts';
import { openFeatureStore, type Run, type Scorer } from './recipe.ts';

/** A labelled picture that nothing learns from. */
export interface WatchedPicture {
  path: string;
  className: string;
  isDefect: boolean;
}

/** Most pictures of either kind that are looked at: enough for a curve, cheap enough to look often. */
export const mostWatched = 16;
/** Looking takes at most this share of the training's time. */
const mostShare = 0.04;
/** Looks are at least this share of all steps apart. */
const closestShare = 1 / 60;

/**
 * The pictures a run looks at while it learns: those of split `test`, as evenly from the classes as they come, the same
 * ones each time.
 */
export function chooseWatched(dataset: Dataset): WatchedPicture[] {
  const known = new Set(dataset.classes);
  const all = dataset.pictures
    .filter(({ split, className }) => split === 'test' && known.has(className))
    .map(({ path, className, gtLabel }) => ({ path, className, isDefect: gtLabel === 'defect' }));
  return [false, true].flatMap((isDefect) => evenly(all.filter((picture) => picture.isDefect === isDefect)));
}

/** At most {@link mostWatched}, taken from the classes in turn; within a class in an order that means nothing. */
function evenly(pictures: readonly WatchedPicture[]): WatchedPicture[] {
  const order = (path: string): string => createHash('sha256').update(path).digest('hex');
  const byClass = new Map<string, WatchedPicture[]>();
  for (const picture of [...pictures].sort((a, b) => (order(a.path) < order(b.path) ? -1 : 1))) {
    byClass.set(picture.className, [...(byClass.get(picture.className) ?? []), picture]);
  }
  const chosen: WatchedPicture[] = [];
  for (let turn = 0; chosen.length < Math.min(mostWatched, pictures.length); turn++) {
    for (const own of byClass.values()) {
      if (own[turn] !== undefined && chosen.length < mostWatched) chosen.push(own[turn]!);
    }
  }
  return chosen;
}

/** What a look needs: the pictures' features, and their scores by a part of the model as it is by now. */
export type ScoreWatched<Features> = (
  store: FeatureStore<Features>,
  pictures: readonly WatchedPicture[],
) => Promise<readonly number[]>;

/**
 * Looks at labelled pictures in the course of a run and tells how well they are told apart. It changes nothing of the
 * run: a look that fails is told once, and there are no more.
 */
export class Watch<Features> {
  readonly #pictures: readonly WatchedPicture[];
  readonly #store: FeatureStore<Features>;
  readonly #run: Pick<Run, 'signal' | 'report'>;
  #isOff = false;
  #isDescribed = false;
  #spentMs = 0;
  #sinceMs = performance.now();
  #lastStep = 0;

  private constructor(pictures: readonly WatchedPicture[], store: FeatureStore<Features>, run: Run) {
    this.#pictures = pictures;
    this.#store = store;
    this.#run = run;
  }

  /** @returns undefined where there are no two kinds of pictures to tell apart */
  static async open<Features>(
    teacher: FeatureSource<Features> & { readonly graphHash: string },
    run: Run,
  ): Promise<Watch<Features> | undefined> {
    const { watched } = run;
    if (!watched.some(({ isDefect }) => isDefect) || watched.every(({ isDefect }) => isDefect)) return undefined;
    const pictures = watched.map(({ path, className }) => ({ path, className, fileName: '', sha256: '' }));
    const snapshot = { ...run.snapshot, pictures };
    return new Watch(watched, await openFeatureStore(teacher, { request: run.request, snapshot }), run);
  }

  /** Has the pictures described, then starts the clock that looks are measured against. */
  async begin(): Promise<void> {
    await this.#guarded(async () => {
      if (!this.#isDescribed) await this.#store.fill(this.#run.signal, () => undefined);
      this.#isDescribed = true;
    });
    this.#sinceMs = performance.now();
    this.#spentMs = 0;
    this.#lastStep = 0;
  }

  /** Whether looking now stays within its share of the time. */
  isDue(step: number, steps: number): boolean {
    if (this.#isOff || step - this.#lastStep < steps * closestShare) return false;
    return this.#spentMs <= mostShare * (performance.now() - this.#sinceMs);
  }

  /** Scores the pictures with `score` and tells their AUROC. */
  async look(part: WatchedEvent['part'], step: number, score: ScoreWatched<Features>): Promise<void> {
    const startMs = performance.now();
    this.#lastStep = step;
    await this.#guarded(async () => {
      const scores = await score(this.#store, this.#pictures);
      const isDefect = this.#pictures.map((picture) => picture.isDefect);
      const value = scores.every(Number.isFinite) ? auroc(isDefect, scores) : null;
      if (value === null) return;
      const defects = isDefect.filter(Boolean).length;
      this.#run.report.watched({ part, step, auroc: value, good: isDefect.length - defects, defects });
    });
    this.#spentMs += performance.now() - startMs;
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    const { signal, report } = this.#run;
    if (this.#isOff) return;
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      this.#isOff = true;
      report.warn(`There is no AUROC curve: ${error instanceof Error ? error.message : String(error)}`);
    }
    signal.throwIfAborted();
  }
}

/** Scores of the first `count` pictures of a scorer's store, which is closed then. */
export async function scoreInTurn(scorer: Scorer, count: number, signal: AbortSignal): Promise<number[]> {
  try {
    const scores: number[] = [];
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted();
      scores.push((await scorer.score(i)).predScore);
    }
    return scores;
  } finally {
    await scorer.close();
  }
}
