import { clopperPearson } from '../../shared/calibration/binomial.ts';
import { normalCdf } from '../../shared/calibration/distributions.ts';
import { goldenGate, type GoldenPart } from '../../shared/calibration/gates.ts';
import { chooseThresholds, type PolicyOptions } from '../../shared/calibration/guarantee.ts';
import { describeOperatingPoint } from '../../shared/calibration/operating-point.ts';
import { percentileBound } from '../../shared/calibration/percentile.ts';
import type { ThresholdPolicy } from '../../shared/calibration/policies.ts';
import { calibrateClasses } from '../../shared/calibration/pooling.ts';
import { aurocInterval, bootstrapRocBand, exactRocBand } from '../../shared/calibration/roc-uncertainty.ts';
import { unknownClassThreshold } from '../../shared/calibration/unknown-class.ts';
import { rankScores } from '../../shared/metrics/ranking.ts';
import { createRandom, type Random } from '../../shared/random.ts';

/** A distribution of scores whose truth is known. */
interface Source {
  draw(random: Random): number;
  /** P(score < t), exact. */
  below(t: number): number;
}

const gaussian = (mean: number, sd: number): Source => ({
  draw: (random) => mean + sd * random.normal(),
  below: (t) => normalCdf((t - mean) / sd),
});
const exponential = (start: number, scale: number): Source => ({
  draw: (random) => start - scale * Math.log(1 - random.next()),
  below: (t) => (t <= start ? 0 : -Math.expm1(-(t - start) / scale)),
});
/** Scores in whole steps: ties everywhere. */
const stepped = (source: Source, step: number): Source => ({
  draw: (random) => step * Math.round(source.draw(random) / step),
  below: (t) => source.below(step * (Math.ceil(t / step) - 0.5)),
});
const mixture = (common: Source, rare: Source, share: number): Source => ({
  draw: (random) => (random.next() < share ? rare : common).draw(random),
  below: (t) => (1 - share) * common.below(t) + share * rare.below(t),
});

/** A line: scores of good parts and of defects. */
interface Plant {
  name: string;
  good: Source;
  bad: Source;
}

const easy: Plant = { name: 'well separated', good: exponential(0.3, 0.4), bad: gaussian(6, 1.2) };
const hard: Plant = { name: 'overlapping', good: gaussian(1, 0.5), bad: gaussian(2, 0.8) };
const tailed: Plant = {
  name: 'long tails, 3 % odd good parts',
  good: mixture(exponential(0.3, 0.3), gaussian(5, 1), 0.03),
  bad: mixture(gaussian(7, 2), gaussian(1.2, 0.5), 0.08),
};
const tied: Plant = {
  name: 'ties everywhere',
  good: stepped(gaussian(1, 0.6), 0.5),
  bad: stepped(gaussian(2.5, 0.9), 0.5),
};

/** One trial: whether the statement held; null: refused. */
type Trial = (random: Random, plant: Plant) => boolean | null;

export interface Scenario {
  statement: string;
  nominal: number;
  plant: Plant;
  note: string;
  trial: Trial;
  /** Trials are dear: this share of the plants asked for. */
  share?: number;
}

export interface CoverageRow {
  statement: string;
  nominal: number;
  /** Among the plants that were not refused. */
  coverage: number;
  refused: number;
  plant: string;
}

export function coverageOf(
  { statement, nominal, plant, note, trial, share = 1 }: Scenario,
  plants: number,
  seed: number,
): CoverageRow {
  const random = createRandom(seed);
  let [held, given] = [0, 0];
  const trials = Math.max(20, Math.round(plants * share));
  for (let i = 0; i < trials; i++) {
    const outcome = trial(random, plant);
    if (outcome === null) continue;
    given++;
    if (outcome) held++;
  }
  const coverage = given === 0 ? NaN : held / given;
  return { statement, nominal, coverage, refused: 1 - given / trials, plant: `${plant.name}, ${note}` };
}

function drawn({ good, bad }: Plant, normals: number, defects: number, random: Random) {
  const scores = Float64Array.from({ length: normals + defects }, (_, i) => (i < normals ? good : bad).draw(random));
  const labels = Uint8Array.from({ length: normals + defects }, (_, i) => Number(i >= normals));
  return { scores, labels };
}

/** All guarantees of a policy, or just the one about `about`. */
function policyTrial(
  normals: number,
  defects: number,
  policy: ThresholdPolicy,
  options: PolicyOptions = {},
  about?: 'escapeRate' | 'falseRejectRate',
): Trial {
  return (random, plant) => {
    const { scores, labels } = drawn(plant, normals, defects, random);
    const result = chooseThresholds(scores, labels, policy, options);
    if (!result.ok) return null;
    return result.guarantees.every((promise) => {
      if (about !== undefined && promise.about !== about) return true;
      const truth = promise.about === 'escapeRate' ? plant.bad.below(result.review) : 1 - plant.good.below(result.fail);
      return promise.low <= truth && truth <= promise.high;
    });
  };
}

function scenariosOf(
  statement: string,
  nominal: number,
  trial: Trial,
  note: string,
  plants: readonly Plant[],
  share?: number,
): Scenario[] {
  return plants.map((plant) => ({ statement, nominal, plant, note, trial, ...(share !== undefined && { share }) }));
}

const every = [easy, hard, tailed, tied];
const escape: ThresholdPolicy = { kind: 'maxEscapeRate', rate: 0.05 };
const reject: ThresholdPolicy = { kind: 'maxFalseRejectRate', rate: 0.02 };
const cost: ThresholdPolicy = { kind: 'cost', escape: 100, reject: 1, review: 0.2, defectRate: 0.01 };

/** Truth of the area: chance that a defect beats a good part, by integration over the defect's quantiles. */
function trueAuroc({ good, bad }: Plant): number {
  let sum = 0;
  const steps = 40_000;
  let last = bad.below(-10);
  for (let i = 1; i <= steps; i++) {
    const t = -10 + (i * 30) / steps;
    const now = bad.below(t);
    sum += (now - last) * good.below(t - 15 / steps);
    last = now;
  }
  return sum;
}
const hardAuroc = trueAuroc(hard);

/** Whether the true curve lies within a band: at each rate the true TPR of the threshold with that true FPR. */
function bandTrial(make: 'exact' | 'bootstrap', normals: number, defects: number): Trial {
  return (random, plant) => {
    const { scores, labels } = drawn(plant, normals, defects, random);
    const ranked = rankScores(labels, scores);
    const band =
      make === 'exact' ? exactRocBand(ranked) : bootstrapRocBand(ranked, { resamples: 300, seed: random.uint32() });
    return band.falsePositiveRate.every((rate, i) => {
      if (rate === 0 || rate === 1) return true;
      let [low, high] = [-10, 30];
      for (let step = 0; step < 50; step++) {
        const middle = (low + high) / 2;
        if (1 - plant.good.below(middle) > rate) low = middle;
        else high = middle;
      }
      const truth = 1 - plant.bad.below(high);
      return band.low[i]! - 1e-9 <= truth && truth <= band.high[i]! + 1e-9;
    });
  };
}

export const scenarios: readonly Scenario[] = [
  ...scenariosOf(
    'max escape rate 5 %: escapes',
    0.95,
    policyTrial(80, 120, escape, {}, 'escapeRate'),
    '80 good, 120 bad',
    every,
  ),
  ...scenariosOf(
    'max escape rate 5 %: false rejects',
    0.95,
    policyTrial(80, 120, escape, {}, 'falseRejectRate'),
    '80 good, 120 bad',
    every,
  ),
  ...scenariosOf(
    'max escape rate 1 %: escapes',
    0.95,
    policyTrial(60, 480, { kind: 'maxEscapeRate', rate: 0.01 }, {}, 'escapeRate'),
    '60 good, 480 bad',
    [easy, tailed],
  ),
  ...scenariosOf(
    'two limits: escapes',
    0.95,
    policyTrial(200, 120, escape, { otherRate: 0.02 }, 'escapeRate'),
    '200 good, 120 bad',
    every,
  ),
  ...scenariosOf(
    'two limits: false rejects',
    0.95,
    policyTrial(200, 120, escape, { otherRate: 0.02 }, 'falseRejectRate'),
    '200 good, 120 bad',
    every,
  ),
  ...scenariosOf(
    'max false rejects 2 %: false rejects',
    0.95,
    policyTrial(160, 30, reject, {}, 'falseRejectRate'),
    '160 good, 30 bad',
    every,
  ),
  ...scenariosOf(
    'max false rejects 2 %: escapes',
    0.95,
    policyTrial(160, 30, reject, {}, 'escapeRate'),
    '160 good, 30 bad',
    every,
  ),
  ...scenariosOf(
    'normals only 1 %',
    0.95,
    policyTrial(310, 0, { kind: 'normalsOnly', maxFalseRejectRate: 0.01 }),
    '310 good',
    every,
  ),
  ...scenariosOf('F1: both rates', 0.95, policyTrial(60, 40, { kind: 'maxF1' }), '60 good, 40 bad', every),
  ...scenariosOf('F1: both rates', 0.95, policyTrial(20, 16, { kind: 'maxF1' }), '20 good, 16 bad', every),
  ...scenariosOf('Youden: both rates', 0.95, policyTrial(60, 40, { kind: 'youden' }), '60 good, 40 bad', every),
  ...scenariosOf('cost 100:1:0.2: both rates', 0.95, policyTrial(100, 60, cost), '100 good, 60 bad', every),
  ...scenariosOf(
    'cost 100:1: both rates',
    0.9,
    policyTrial(50, 50, { ...cost, review: undefined }, { confidence: 0.9 }),
    '50 good, 50 bad',
    every,
  ),
  ...scenariosOf(
    'any threshold at once: both rates',
    0.95,
    (random, plant) => {
      const { scores, labels } = drawn(plant, 60, 40, random);
      // The handle stops where the escape rate is farthest from the truth: the worst a person can do.
      return [...scores].every((fail) => {
        const { escape: rate } = describeOperatingPoint(scores, labels, { review: fail, fail });
        const truth = plant.bad.below(fail);
        return rate.interval.low <= truth && truth <= rate.interval.high;
      });
    },
    '60 good, 40 bad',
    [easy, hard],
    0.2,
  ),
  ...scenariosOf(
    'fixed threshold: escapes',
    0.95,
    (random, plant) => {
      const { scores, labels } = drawn(plant, 30, 45, random);
      const point = describeOperatingPoint(scores, labels, { review: 1.5, fail: 2 }, { thresholdsFrom: 'elsewhere' });
      const truth = plant.bad.below(1.5);
      return point.escape.interval.low <= truth && truth <= point.escape.interval.high;
    },
    '45 bad',
    [hard, tailed, tied],
  ),
  ...scenariosOf(
    'fixed threshold: reviews of 1,000',
    0.95,
    (random, plant) => {
      const { scores, labels } = drawn(plant, 80, 45, random);
      const thresholds = { review: 1.5, fail: 2 };
      const options = { thresholdsFrom: 'elsewhere', defectRate: 0.1 } as const;
      const { low, high } = describeOperatingPoint(scores, labels, thresholds, options).perThousand.reviews;
      const share = ({ below }: Source): number => below(2) - below(1.5);
      const truth = 1000 * (0.1 * share(plant.bad) + 0.9 * share(plant.good));
      return low <= truth && truth <= high;
    },
    '80 good, 45 bad',
    [hard, tailed, tied],
  ),
  ...scenariosOf(
    'unknown class 2 %',
    0.95,
    (random, plant) => {
      const result = unknownClassThreshold(drawn(plant, 170, 0, random).scores, { rate: 0.02 });
      return result.ok ? 1 - plant.good.below(result.value) <= result.falseAlarmRate : null;
    },
    '170 good',
    every,
  ),
  ...scenariosOf(
    'latency p95',
    0.95,
    (random, plant) => {
      const { upper } = percentileBound(drawn(plant, 100, 0, random).scores, 0.95, 0.95);
      // P(time <= bound) of a continuous time.
      return upper === null ? null : plant.good.below(upper) >= 0.95;
    },
    '100 parts',
    [easy, hard, tailed],
  ),
  ...scenariosOf(
    'AUROC (DeLong, logit)',
    0.95,
    (random, plant) => {
      const { scores, labels } = drawn(plant, 80, 60, random);
      const { low, high } = aurocInterval(scores, labels);
      return low <= hardAuroc && hardAuroc <= high;
    },
    '80 good, 60 bad (approximate)',
    [hard],
  ),
  ...scenariosOf('ROC band, exact', 0.95, bandTrial('exact', 80, 60), '80 good, 60 bad', [hard, easy], 0.05),
  ...scenariosOf(
    'ROC band, bootstrap',
    0.95,
    bandTrial('bootstrap', 80, 60),
    '80 good, 60 bad (approximate)',
    [hard, easy],
    0.05,
  ),
  ...scenariosOf(
    'four classes pooled: escapes of the mix',
    0.95,
    pooledTrial(escape, 'escapeRate'),
    '4 x (30 good, 30 bad)',
    [easy, hard],
  ),
  ...scenariosOf(
    'four classes pooled: false rejects',
    0.95,
    pooledTrial({ kind: 'maxFalseRejectRate', rate: 0.05 }, 'falseRejectRate'),
    '4 x (40 good, 5 bad)',
    [easy, hard],
  ),
  ...scenariosOf('golden gate refuses a loss of 5 %', 0.95, lossTrial(0.1, 0.05), '150 defects', [easy]),
  ...scenariosOf('golden gate refuses a loss of 5 %', 0.95, lossTrial(0.05, 0), '150 defects, no gains', [easy]),
];

/** Classes at different levels, drawn as a mixture; truth of the mix at the offset thresholds. */
function pooledTrial(policy: ThresholdPolicy, about: 'escapeRate' | 'falseRejectRate'): Trial {
  const shifts = [-0.4, 0, 0.1, 0.5];
  const [normals, defects] = about === 'escapeRate' ? [30, 30] : [40, 5];
  return (random, plant) => {
    const total = 4 * (normals + defects);
    // The mixture itself is random: each part's class is drawn, as the guarantee supposes.
    const classOf = Array.from({ length: total }, () => random.int(4));
    const labels = Array.from({ length: total }, (_, i) => i >= 4 * normals);
    const scores = classOf.map((c, i) => shifts[c]! + (labels[i]! ? plant.bad : plant.good).draw(random));
    const names = classOf.map((c) => `class ${String(c)}`);
    const { pooled, classes } = calibrateClasses({ scores, labels, classNames: names }, policy, {
      seed: random.uint32(),
    });
    if (!pooled.ok) return null;
    const promise = pooled.guarantees.find((entry) => entry.about === about)!;
    let truth = 0;
    shifts.forEach((shift, c) => {
      const entry = classes.find(({ className }) => className === `class ${String(c)}`);
      const offset = entry?.offset ?? 0;
      truth +=
        about === 'escapeRate'
          ? plant.bad.below(pooled.review + offset - shift) / 4
          : (1 - plant.good.below(pooled.fail + offset - shift)) / 4;
    });
    return promise.low <= truth && truth <= promise.high;
  };
}

/** A candidate that truly loses 5 % of the recall must be refused. */
function lossTrial(lossRate: number, gainRate: number): Trial {
  return (random) => {
    const judged = (right: boolean) => ({
      predScore: Number(right),
      verdict: right ? ('fail' as const) : ('pass' as const),
    });
    const parts: GoldenPart[] = [];
    for (let i = 0; i < 300; i++) {
      const u = random.next();
      const defect = i < 150;
      const before = defect ? u >= gainRate : false;
      const after = defect ? u < gainRate || u >= gainRate + lossRate : false;
      parts.push({
        id: String(i),
        className: 'a',
        gtLabel: defect ? 'defect' : 'good',
        active: judged(before),
        candidate: judged(after),
      });
    }
    return goldenGate(parts).outcome === 'refused';
  };
}

/** Smallest count of holds that a coverage of `nominal` makes believable in n trials (for tests with few plants). */
export function leastBelievable(n: number, nominal: number): number {
  for (let count = n; count > 0; count--)
    if (clopperPearson(count, n, 0.9999, 'upper').high < nominal) return count + 1;
  return 0;
}
