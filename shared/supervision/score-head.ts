/**
 * A small head that learns from labelled defects how far to trust each frozen score: a logistic regression that starts at
 * the fused score and moves away from it only as far as labels ask for. Pure numbers; nothing else of the model changes.
 */

/**
 * Weights over standardised scores. `mean`, `sd` and `weights` have one number per score; the first is the fused one.
 * The new score is `mean0 + sd0 * sum_i weights_i (x_i - mean_i) / sd_i`: in units of the fused score, and that score itself
 * where the weights are 1, 0, 0...
 */
export interface ScoreHead {
  readonly names: readonly string[];
  readonly mean: readonly number[];
  readonly sd: readonly number[];
  /** None is negative, the first at least {@link leastFusedWeight}: a higher score never means a better part. */
  readonly weights: readonly number[];
}

/** Smallest weight of the fused score: the head stays strictly monotone in it. */
export const leastFusedWeight = 0.25;

/** How strongly the weights are drawn to those of the fused score alone; one labelled defect has the weight 1. */
const priorStrength = 2;
const iterations = 400;

/** Scores of one picture, in the order of the head's names. */
export type ScoreRow = readonly number[];

/** The head that changes nothing, standardised by the scores of normal pictures. */
export function identityHead(names: readonly string[], normals: readonly ScoreRow[]): ScoreHead {
  const count = Math.max(1, normals.length);
  const mean = names.map((_, i) => normals.reduce((sum, row) => sum + row[i]!, 0) / count);
  const sd = names.map((_, i) => {
    const variance = normals.reduce((sum, row) => sum + (row[i]! - mean[i]!) ** 2, 0) / Math.max(1, normals.length - 1);
    // A score that never moves says nothing and must not be blown up.
    return variance > 1e-12 ? Math.sqrt(variance) : 1;
  });
  return { names, mean, sd, weights: names.map((_, i) => (i === 0 ? 1 : 0)) };
}

/** The new score of one picture. */
export function applyHead({ mean, sd, weights }: ScoreHead, row: ScoreRow): number {
  let sum = 0;
  weights.forEach((weight, i) => (sum += (weight * (row[i]! - mean[i]!)) / sd[i]!));
  return mean[0]! + sd[0]! * sum;
}

/**
 * Fits a head. Minimises the logistic loss, both kinds of picture weighing as much as there are defects, plus
 * `priorStrength / 2 |w - w0|^2` with w0 the fused score alone; projected gradient descent, no random numbers.
 * @param normals scores of good pictures that nothing was learned from
 * @param defects scores of labelled defects; without any, the head changes nothing
 */
export function fitHead(
  names: readonly string[],
  normals: readonly ScoreRow[],
  defects: readonly ScoreRow[],
): ScoreHead {
  const start = identityHead(names, normals);
  if (defects.length === 0 || normals.length < 2) return start;
  const { mean, sd } = start;
  // Far outliers would rule the loss; beyond ten deviations everything is as strange as can be.
  const standard = (row: ScoreRow): number[] =>
    row.map((value, i) => Math.max(-10, Math.min(10, (value - mean[i]!) / sd[i]!)));
  const rows = [
    ...normals.map((row) => ({ z: standard(row), label: 0, weight: defects.length / normals.length })),
    ...defects.map((row) => ({ z: standard(row), label: 1, weight: 1 })),
  ];
  const weights = [...start.weights];
  let bias = -3;
  // The loss's curvature is at most a quarter of the weighted squares.
  const squares = rows.reduce((sum, { z, weight }) => sum + weight * (1 + z.reduce((s, v) => s + v * v, 0)), 0);
  const rate = 1 / (squares / 4 + priorStrength);
  let momentumWeights = [...weights];
  let momentumBias = bias;
  for (let step = 0; step < iterations; step++) {
    const gradient = momentumWeights.map((weight, i) => priorStrength * (weight - start.weights[i]!));
    let biasGradient = 0;
    for (const { z, label, weight } of rows) {
      let logit = momentumBias;
      for (let i = 0; i < z.length; i++) logit += momentumWeights[i]! * z[i]!;
      const pull = weight * (1 / (1 + Math.exp(-logit)) - label);
      for (let i = 0; i < z.length; i++) gradient[i]! += pull * z[i]!;
      biasGradient += pull;
    }
    // Nesterov's accelerated form, projected onto the weights allowed.
    const factor = step / (step + 3);
    const previous = [...weights];
    const previousBias = bias;
    gradient.forEach((g, i) => {
      weights[i] = Math.max(i === 0 ? leastFusedWeight : 0, momentumWeights[i]! - rate * g);
    });
    bias = momentumBias - rate * biasGradient;
    momentumWeights = weights.map((weight, i) => weight + factor * (weight - previous[i]!));
    momentumBias = bias + factor * (bias - previousBias);
  }
  return { ...start, weights };
}

/** What a gate found: recall of the golden set's defects with the fused score and with the head. */
export interface HeadGate {
  passes: boolean;
  /** At each false-reject rate looked at. */
  points: { falseRejectRate: number; fused: number; head: number }[];
}

/** Shares of golden good parts that a threshold may reject where recall is compared. */
const gateRates = [0, 0.05] as const;

/**
 * Refuses a head that finds fewer of the golden set's defects than the fused score does, at any of the rates. Defects that
 * the head learned from are judged by heads fitted without them.
 * @param golden scores of pictures with known truth; `learned` marks the defects that are among `defects`
 */
export function gateHead(
  head: ScoreHead,
  normals: readonly ScoreRow[],
  defects: readonly ScoreRow[],
  golden: { normals: readonly ScoreRow[]; defects: readonly { row: ScoreRow; learned?: number }[] },
): HeadGate {
  const fusedNormals = golden.normals.map((row) => row[0]!);
  const fusedDefects = golden.defects.map(({ row }) => row[0]!);
  const headNormals = golden.normals.map((row) => applyHead(head, row));
  const headDefects = golden.defects.map(({ row, learned }) => {
    if (learned === undefined || defects.length < 2) return applyHead(head, row);
    const others = defects.filter((_, i) => i !== learned);
    return applyHead(fitHead(head.names, normals, others), row);
  });
  const points = gateRates.map((falseRejectRate) => ({
    falseRejectRate,
    fused: recallAt(fusedNormals, fusedDefects, falseRejectRate),
    head: recallAt(headNormals, headDefects, falseRejectRate),
  }));
  return { passes: points.every(({ fused, head: own }) => own >= fused), points };
}

/** Share of `defects` above the lowest threshold that rejects at most this share of `normals`. */
export function recallAt(normals: readonly number[], defects: readonly number[], falseRejectRate: number): number {
  if (defects.length === 0) return 1;
  const sorted = [...normals].sort((a, b) => b - a);
  const threshold = sorted[Math.floor(falseRejectRate * sorted.length)] ?? -Infinity;
  return defects.filter((score) => score > threshold).length / defects.length;
}
