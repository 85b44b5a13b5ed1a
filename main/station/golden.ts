import { auroc } from '../../shared/metrics/ranking.ts';
import { heedClass } from '../../shared/calibration/unknown-class.ts';
import { classLimitOf } from '../../shared/calibration/unknown-limit.ts';
import { decide, type Verdict } from '../../shared/detection.ts';
import type { ClassMetrics, StationModel } from '../../shared/station/domain.ts';
import type { PictureScore, TrainingPicture } from '../store/types.ts';
import type { StationContext } from './context.ts';
import type { FeedService } from './feed.ts';

/** A picture whose truth is known, and which no model learned from. */
export interface LabelledPicture extends TrainingPicture {
  gtLabel: 'pass' | 'fail';
}

/** A score with the verdict that follows from the thresholds that hold now. */
export interface JudgedScore {
  /** NaN: none could be had. */
  predScore: number;
  verdict: Verdict;
}

/** The golden set: labelled pictures kept apart for good. */
export function goldenPictures({ store }: StationContext, projectId: string): LabelledPicture[] {
  return store.pictures.forTraining(projectId, ['golden']).filter(isLabelled);
}

/**
 * Good pictures that a model has not seen in training, not even held out: golden ones that a person passed, and those
 * given for calibration that nobody failed.
 * @param learned what its snapshot holds
 */
export function goodUnseenPictures(
  { store }: StationContext,
  projectId: string,
  learned: ReadonlySet<string>,
  golden: readonly LabelledPicture[],
): { all: ReadonlySet<string>; others: TrainingPicture[] } {
  const passed = golden.filter(({ gtLabel, sha256 }) => gtLabel === 'pass' && !learned.has(sha256));
  const others = store.pictures
    .forTraining(projectId, ['calibration'])
    .filter(({ gtLabel, sha256 }) => (gtLabel ?? 'pass') === 'pass' && !learned.has(sha256));
  return { all: new Set([...passed, ...others].map(({ sha256 }) => sha256)), others };
}

export function isLabelled(picture: TrainingPicture): picture is LabelledPicture {
  return picture.gtLabel === 'pass' || picture.gtLabel === 'fail';
}

/** Scores that are being computed, by model. */
const underWay = new Map<string, Promise<PictureScore[]>>();

/** Has pictures scored, tells how far it is, and keeps the scores. */
async function scoreMissing(
  { store, emit }: StationContext,
  feeds: Pick<FeedService, 'score'>,
  model: StationModel,
  missing: readonly TrainingPicture[],
): Promise<PictureScore[]> {
  const total = missing.length;
  const tell = (done: number): void => emit({ type: 'scoring', modelId: model.id, done, total });
  tell(0);
  try {
    const scored = await feeds.score(model, missing, (done) => done < total && tell(done));
    store.pictures.setScores(model.id, scored);
    return scored;
  } finally {
    tell(total);
  }
}

/**
 * Scores of pictures under a model: from the store where they are, else from the process that judges, and then kept.
 * @throws UserError when the model can't be opened; `cancelled`
 */
export async function scoresOf(
  context: StationContext,
  feeds: Pick<FeedService, 'score'>,
  model: StationModel,
  pictures: readonly TrainingPicture[],
): Promise<Map<string, JudgedScore>> {
  const { store } = context;
  // Two who ask for the same scores at once share the work of the first.
  await underWay.get(model.id)?.catch(() => undefined);
  const known = store.pictures.scores(model.id);
  const missing = pictures.filter(({ sha256 }) => !known.has(sha256));
  if (missing.length > 0) {
    const work = scoreMissing(context, feeds, model, missing);
    underWay.set(model.id, work);
    try {
      for (const score of await work) known.set(score.sha256, score);
    } finally {
      if (underWay.get(model.id) === work) underWay.delete(model.id);
    }
  }
  const judgeNow = judgeOf(context, model);
  return new Map(pictures.map(({ sha256 }) => [sha256, judgeNow(known.get(sha256))]));
}

const undecided: JudgedScore = { predScore: NaN, verdict: 'noDecision' };

/** How the line would judge a stored score now: scores stay, thresholds and the limit of unknown classes move. */
function judgeOf(
  { store }: StationContext,
  { id, thresholds, unknownClass }: StationModel,
): (score: PictureScore | undefined) => JudgedScore {
  const changed = store.models.thresholdHistory(id).length > 0;
  const limit = classLimitOf(unknownClass);
  return (score) => {
    if (score === undefined || score.predScore === null) return undecided;
    const { predScore, className, classDistance } = score;
    const verdict = changed ? decide(predScore, thresholds) : (score.verdict ?? 'noDecision');
    const known = { classDistance: classDistance ?? NaN, className: className ?? '' };
    return { predScore, verdict: heedClass(verdict, known, limit).verdict };
  };
}

/** Figures of labelled pictures class by class; rates as the line would see them. */
export function metricsOf(
  pictures: readonly LabelledPicture[],
  scores: ReadonlyMap<string, JudgedScore>,
): ClassMetrics[] {
  const classNames = [...new Set(pictures.map(({ className }) => className))].sort();
  return classNames.map((className) => {
    const own = pictures
      .filter((picture) => picture.className === className)
      .map(({ sha256, gtLabel }) => ({ gtLabel, ...(scores.get(sha256) ?? undecided) }));
    const good = own.filter(({ gtLabel }) => gtLabel === 'pass');
    const bad = own.filter(({ gtLabel }) => gtLabel === 'fail');
    const scored = own.filter(({ predScore }) => Number.isFinite(predScore));
    return {
      className,
      pictures: own.length,
      defects: bad.length,
      imageAuroc: auroc(
        scored.map(({ gtLabel }) => gtLabel === 'fail'),
        scored.map(({ predScore }) => predScore),
      ),
      falseRejectRate: share(good, ({ verdict }) => verdict === 'fail' || verdict === 'noDecision'),
      escapeRate: share(bad, ({ verdict }) => verdict === 'pass'),
    };
  });
}

/**
 * Measures a model anew on the golden pictures of its classes, from the scores that are stored: the golden set may have
 * come after the model, and thresholds move. As long as some of them have no score, its figures stay as they are.
 */
export function measureAgain(context: StationContext, modelId: string): void {
  const { store } = context;
  const model = store.models.get(modelId);
  const { projectId, classes } = model;
  const golden = goldenPictures(context, projectId).filter(({ className }) => classes.includes(className));
  const known = store.pictures.scores(modelId);
  if (golden.length === 0 || golden.some(({ sha256 }) => !known.has(sha256))) return;
  const judgeNow = judgeOf(context, model);
  const scores = new Map(golden.map(({ sha256 }) => [sha256, judgeNow(known.get(sha256))]));
  store.models.setMetrics(modelId, metricsOf(golden, scores));
}

/** How well a model tells the golden pictures apart, from the scores that are stored; null without either kind. */
export function finishedAuroc(
  context: StationContext,
  { id, projectId }: Pick<StationModel, 'id' | 'projectId'>,
): { auroc: number; good: number; defects: number } | null {
  const scores = context.store.pictures.scores(id);
  const scored = goldenPictures(context, projectId).flatMap(({ sha256, gtLabel }) => {
    const predScore = scores.get(sha256)?.predScore;
    return typeof predScore === 'number' ? [{ isDefect: gtLabel === 'fail', predScore }] : [];
  });
  const value = auroc(
    scored.map(({ isDefect }) => isDefect),
    scored.map(({ predScore }) => predScore),
  );
  const defects = scored.filter(({ isDefect }) => isDefect).length;
  return value === null ? null : { auroc: value, good: scored.length - defects, defects };
}

function share<T>(items: readonly T[], isCounted: (item: T) => boolean): number | null {
  return items.length === 0 ? null : items.filter(isCounted).length / items.length;
}
