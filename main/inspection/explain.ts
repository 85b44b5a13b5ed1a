import { createHash } from 'node:crypto';
import { judge } from '../../shared/calibration/unknown-class.ts';
import type { DetectionResult, Thresholds } from '../../shared/detection.ts';
import { UserError } from '../../shared/errors.ts';
import { cloneInto, fillFromSurroundings, type FilledPicture } from '../../shared/explanation/fill.ts';
import { dilate, hotRegions, onPicture } from '../../shared/explanation/regions.ts';
import type { Counterfactual, Explanation, ScoreShares } from '../../shared/explanation/types.ts';
import { counterfactualPhrase, reasonPhrases, summaryPhrase } from '../../shared/explanation/words.ts';
import type { Detector } from '../detector/detector.ts';
import type { PreparedPicture } from '../pictures/picture.ts';
import { scoreMap } from './heat-map.ts';
import { scoreOrNull, type InspectionRecord } from './record.ts';

export type { ScoreShares } from '../../shared/explanation/types.ts';

/**
 * How much each expert weighs in the fused score of the embedded preset (`fusionDefaults`): the encoder student shares
 * its term with the memory's whole-part statistics.
 */
const weights = { local: 0.5, semantic: 0.25, memory: 1 };

/**
 * Splits the fused score among the experts, for people: what each contributes beyond a normal part's ordinary
 * deviation. The students' scores are standard deviations (a surprise counts from one on), the memory's is a
 * surprise already. Where a class's good pictures have little in common (docs/method.md, "Varied pictures"), places count
 * less in the score than is said here: a record doesn't know that.
 */
export function scoreShares(
  record: Pick<InspectionRecord, 'localScore' | 'semanticScore' | 'memoryScore'>,
): ScoreShares {
  const surprise = (z: number | null): number | null =>
    z === null ? null : Math.log1p(Math.exp(Math.min(z - 1, 500)));
  const parts = {
    local: scaled(surprise(record.localScore), weights.local),
    semantic: scaled(surprise(record.semanticScore), weights.semantic),
    memory: scaled(record.memoryScore === null ? null : Math.max(0, record.memoryScore), weights.memory),
  };
  const sum = (parts.local ?? 0) + (parts.semantic ?? 0) + (parts.memory ?? 0);
  if (!(sum > 0)) return { local: null, semantic: null, memory: null };
  return {
    local: scaled(parts.local, 1 / sum),
    semantic: scaled(parts.semantic, 1 / sum),
    memory: scaled(parts.memory, 1 / sum),
  };
}

function scaled(value: number | null, factor: number): number | null {
  return value === null ? null : value * factor;
}

/** One plain sentence that says why a part got its verdict. */
export function explain(record: InspectionRecord): string {
  return summaryPhrase(record.verdict, scoreShares(record), record.reason).en;
}

/** What an explanation is put together from. */
export interface ExplanationParts {
  detector: Pick<Detector, 'inspect' | 'normalPicture' | 'unknownClass'>;
  thresholds: Thresholds;
  /** The judged picture's size in pixels (the region, where one is set). */
  picture: { width: number; height: number };
  /** Millimetres a pixel of the judged picture; absent where no scale is set. */
  mmPerPx?: number;
  /** The nearest normal part's picture, prepared as the part's, where the station still has it. */
  readNormal?: (normal: { className: string; fileName: string }) => Promise<PreparedPicture | undefined>;
  /** Regions to be left out one after the other; each takes a run of the model. Default 1. */
  counterfactuals?: number;
}

/**
 * Explains a part: shares, regions, the nearest normal part, and what the score would be without the hottest regions.
 * @param prepared the very picture that was judged
 * @param result   what the detector said of it
 * @throws what the detector throws
 */
export async function explainPart(
  prepared: PreparedPicture,
  result: DetectionResult,
  { detector, thresholds, picture, mmPerPx, readNormal, counterfactuals = 1 }: ExplanationParts,
): Promise<Explanation> {
  const { verdict, statement } = judge(result, thresholds, detector.unknownClass);
  const shares = scoreShares({
    localScore: scoreOrNull(result.localScore),
    semanticScore: scoreOrNull(result.semanticScore),
    memoryScore: scoreOrNull(result.memoryScore),
  });
  const map = { width: result.mapWidth, height: result.mapHeight };
  const level = verdict === 'fail' ? thresholds.fail : thresholds.review;
  const found = verdict === 'pass' ? [] : hotRegions(scoreMap(result), map.width, map.height, level);
  const regions = found.map((region) => onPicture(region, map, picture, mmPerPx ?? null));
  const nearest = detector.normalPicture(result.nearestNormal) ?? null;
  const normal = nearest === null || found.length === 0 ? undefined : await readNormal?.(nearest);
  const without: Counterfactual[] = [];
  for (const [region, { mask }] of found.slice(0, counterfactuals).entries()) {
    const hidden = dilate(mask, map.width, map.height, regionMargin(map.width));
    const filled: [Counterfactual['replacedBy'], FilledPicture][] = [
      ['surroundings', fillFromSurroundings(prepared, hidden)],
    ];
    if (normal !== undefined) filled.push(['nearestNormal', cloneInto(prepared, hidden, normal.data)]);
    for (const [replacedBy, seen] of filled) {
      const pixelHash = createHash('sha256').update(seen.data).digest('hex');
      const seenSo = (await detector.inspect([{ ...seen, pixelHash }]))[0];
      if (seenSo === undefined) throw new UserError('detectorFailed', 'The detector gave no result.');
      const { predScore } = seenSo;
      const entry = {
        replacedBy,
        region,
        predScore,
        verdict: judge(seenSo, thresholds, detector.unknownClass).verdict,
      };
      without.push({ ...entry, phrase: counterfactualPhrase(entry, result, regions[region]!) });
    }
  }
  return {
    verdict,
    summary: summaryPhrase(verdict, shares, statement?.text),
    shares,
    reasons: reasonPhrases(shares),
    scale: { review: thresholds.review, fail: thresholds.fail },
    regions,
    nearestNormal: nearest,
    counterfactuals: without,
  };
}

/**
 * What is masked around a region of the map, pixels of the network's input: the network looks that far around.
 * @param size side of the network's input
 */
export function regionMargin(size: number): number {
  return Math.round(size / 40);
}
