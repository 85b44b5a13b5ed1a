import { betaQuantile } from './distributions.ts';

/**
 * How many thresholds can be looked at and still be believed.
 *
 * A Clopper-Pearson interval holds for one threshold fixed beforehand. Who moves a handle, or takes the best of all
 * points, has looked at every threshold, so the interval must hold at all of them at once. The band of equal local
 * levels does that: at every threshold an exact interval at the same, higher confidence 1 - eta(n), with eta chosen so
 * that all of them hold together with the confidence asked for (Berk and Jones 1979; Gontscharuk, Landwehr and
 * Finner 2016). Whatever the distribution of the scores; ties only make it safer.
 */

/**
 * Probability that n uniform order statistics all lie between their Beta quantiles eta/2 and 1 - eta/2. Exact: the
 * empirical process as a Poisson process conditioned on its end, carried from boundary to boundary (Moscovich and
 * Nadler 2017).
 */
export function bandCoverage(n: number, eta: number): number {
  const lower = Float64Array.from({ length: n }, (_, i) => betaQuantile(eta / 2, i + 1, n - i));
  let counts = new Float64Array(n + 1);
  let next = new Float64Array(n + 1);
  counts[0] = 1;
  let [from, to] = [0, 0]; // Counts that are possible so far.
  let time = 0;
  const moveTo = (until: number, least: number, most: number): void => {
    const mean = n * (until - time);
    time = until;
    const top = Math.min(n, most);
    next.fill(0, from, top + 1);
    let weight = Math.exp(-mean);
    for (let jump = 0; jump <= top - from && (weight > 1e-18 || jump < mean); jump++) {
      const last = Math.min(to, top - jump);
      for (let k = from; k <= last; k++) next[k + jump]! += counts[k]! * weight;
      weight *= mean / (jump + 1);
    }
    [counts, next] = [next, counts];
    from = Math.max(from, least);
    to = top;
  };
  // Both kinds of boundary ascending: before lower[i] at most i scores, by 1 - lower[n - 1 - i] at least i + 1.
  for (let a = 0, b = 0; b < n;) {
    const upper = 1 - lower[n - 1 - b]!;
    if (a < n && lower[a]! <= upper) moveTo(lower[a]!, b, a++);
    else moveTo(upper, ++b, a < n ? a : n);
  }
  moveTo(1, n, n);
  // Divided by the Poisson probability of n at mean n.
  let logPmf = -n + n * Math.log(n);
  for (let k = 2; k <= n; k++) logPmf -= Math.log(k);
  return counts[n]! / Math.exp(logPmf);
}

/** Risks 1 - confidence of the table's columns. */
const risks = [0.5, 0.2, 0.1, 0.05, 0.025, 0.01, 0.001] as const;

/** ln(eta/risk) for n scores, found with {@link bandCoverage} by bisection. */
const levels: readonly (readonly [n: number, ...logs: number[]])[] = [
  [1, 0, 0, 0, 0, 0, 0, 0],
  [2, -0.4612, -0.5642, -0.6064, -0.6336, -0.6519, -0.6675, -0.6852],
  [3, -0.7316, -0.8824, -0.9453, -0.9871, -1.0161, -1.0423, -1.0757],
  [4, -0.918, -1.0987, -1.1749, -1.2265, -1.2633, -1.2973, -1.3442],
  [5, -1.058, -1.26, -1.3459, -1.4048, -1.4474, -1.4878, -1.546],
  [7, -1.2605, -1.4918, -1.5908, -1.6601, -1.7114, -1.7613, -1.8375],
  [10, -1.4628, -1.7214, -1.8332, -1.9126, -1.9724, -2.0321, -2.1276],
  [14, -1.6414, -1.9227, -2.0453, -2.1334, -2.2006, -2.269, -2.3822],
  [20, -1.8179, -2.1205, -2.2532, -2.3496, -2.424, -2.5008, -2.6316],
  [30, -2.0031, -2.3267, -2.4696, -2.5741, -2.6558, -2.7411, -2.8901],
  [45, -2.1731, -2.5147, -2.6662, -2.7778, -2.8657, -2.9584, -3.1234],
  [70, -2.3423, -2.7008, -2.8602, -2.9784, -3.0721, -3.1717, -3.3516],
  [100, -2.468, -2.8382, -3.0031, -3.1258, -3.2233, -3.3275, -3.5181],
  [150, -2.6003, -2.9819, -3.1522, -3.2791, -3.3805, -3.4893, -3.6899],
  [250, -2.7525, -3.1464, -3.3221, -3.4536, -3.5588, -3.6724, -3.8834],
  [400, -2.8804, -3.2835, -3.4633, -3.598, -3.7061, -3.8231, -4.042],
  [700, -3.0193, -3.4314, -3.6153, -3.753, -3.8637, -3.9839, -4.2101],
  [1200, -3.1412, -3.5606, -3.7474, -3.8873, -4, -4.1226, -4.3543],
  [2000, -3.2478, -3.6727, -3.8616, -4.0032, -4.1173, -4.2414, -4.4772],
  [4000, -3.3878, -3.8267, -4.0022, -4.1602, -4.2655, -4.3884, -4.6342],
  [8000, -3.5167, -3.9516, -4.1407, -4.273, -4.4054, -4.5188, -4.7646],
];

/** Taken off every level read between the table's points, more than interpolation can be wrong there. */
const levelMargin = 0.015;
/** The same where the columns lie far apart, below 80 % confidence. */
const looseMargin = 0.04;

/**
 * The risk eta to take at each threshold so that all intervals hold at once with `confidence`. Read from the table
 * (never too large, see {@link levelMargin}; beyond 8,000 scores continued at its last slope, which errs to the safe side,
 * because the curve flattens).
 */
export function simultaneousLevel(n: number, confidence: number): number {
  const risk = Math.min(0.5, 1 - confidence);
  if (n <= 1) return risk;
  const lastRow = levels.length - 1;
  let row = 1;
  while (row < lastRow && levels[row]![0] < n) row++;
  let column = 1;
  while (column < risks.length - 1 && risks[column]! > risk) column++;
  const [before, after] = [levels[row - 1]!, levels[row]!];
  const alongN = Math.log(n / before[0]) / Math.log(after[0] / before[0]);
  const alongRisk = Math.log(risk / risks[column - 1]!) / Math.log(risks[column]! / risks[column - 1]!);
  const at = (levelsOfN: readonly number[]): number =>
    levelsOfN[column]! + alongRisk * (levelsOfN[column + 1]! - levelsOfN[column]!);
  return risk * Math.exp(at(before) + alongN * (at(after) - at(before)) - (risk > 0.2 ? looseMargin : levelMargin));
}
