/**
 * Do guarantees hold on real pictures? Every pack's test defects and test good parts are halved (seeded), one half
 * calibrates at a limit of 1 % escapes, the other half is counted.
 *
 *   node bench/run.mjs bench/calibration-packs.ts MODEL.twin PACK... [--scores FILE]
 *
 * A pack is a folder of classes or one class; classes the model doesn't know test the unknown-class limit. With --scores the scores are kept in that file and read from it next time.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { clopperPearson, toleranceRank } from '../shared/calibration/binomial.ts';
import { logGamma } from '../shared/calibration/distributions.ts';
import { chooseThresholds, type PolicyChoice } from '../shared/calibration/guarantee.ts';
import { describeOperatingPoint } from '../shared/calibration/operating-point.ts';
import { judge, unknownClassThreshold } from '../shared/calibration/unknown-class.ts';
import { createRandom } from '../shared/random.ts';
import { scoreForCalibration } from '../main/calibration/score.ts';
import { readDataset } from '../main/datasets/read.ts';
import { openDetector } from '../main/detector/open-detector.ts';
import { readPicture } from '../main/pictures/decode.ts';
import { preparePicture } from '../main/pictures/prepare.ts';
import { median } from './tools.ts';

interface Row {
  pack: string;
  className: string;
  defect: boolean;
  predScore: number;
  classDistance: number;
  inferredClass: string;
  /** Whether the model has learned the class. */
  known: boolean;
}

/** Seeded halvings per pack: the first is reported, all of them are counted. */
const halvings = 200;
const limit = 0.01;

const words = process.argv.slice(2);
const at = words.indexOf('--scores');
const cache = at < 0 ? undefined : words.splice(at, 2)[1];
const [model, ...packs] = words;
if (model === undefined || packs.length === 0)
  throw new Error('usage: bench/calibration-packs.ts MODEL PACK... [--scores FILE]');

const rows =
  cache !== undefined && existsSync(cache) ? (JSON.parse(readFileSync(cache, 'utf8')) as Row[]) : await score(model);
if (cache !== undefined) writeFileSync(cache, JSON.stringify(rows));

async function score(modelPath: string): Promise<Row[]> {
  const detector = await openDetector(modelPath, { engine: 'cpu', threads: 1 });
  const found: Row[] = [];
  for (const pack of packs) {
    const { pictures } = await readDataset([pack], { needTrain: false });
    const scored = await scoreForCalibration(
      pictures.filter(({ split }) => split === 'test'),
      { detector, prepare: async (file, size) => preparePicture(await readPicture(file), { size }) },
    );
    for (const { ref, predScore, classDistance, inferredClass } of scored) {
      const { className, gtLabel } = ref;
      const isKnown = detector.classes.includes(className);
      found.push({
        pack: path.basename(pack),
        className,
        defect: gtLabel === 'defect',
        predScore,
        classDistance,
        inferredClass,
        known: isKnown,
      });
    }
  }
  await detector.close();
  return found;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

interface Outcome {
  promised: number;
  kept: boolean;
  escapes: number;
  defects: number;
  falseRejects: number;
  reviews: number;
  good: number;
  more: number;
  /** Most test escapes that the guarantee lets one expect, at 95 %. */
  allowed: number;
}

/**
 * Most of n further defects below the k-th lowest of m, with 95 % probability, whatever the scores' distribution: their
 * number is beta-binomial(n, k, m - k + 1), for all m + n orders are equally likely.
 */
function mostExpected(k: number, m: number, n: number): number {
  const logBeta = (a: number, b: number): number => logGamma(a) + logGamma(b) - logGamma(a + b);
  let sum = 0;
  for (let x = 0; x < n; x++) {
    const choose = logGamma(n + 1) - logGamma(x + 1) - logGamma(n - x + 1);
    sum += Math.exp(choose + logBeta(x + k, n - x + m - k + 1) - logBeta(k, m - k + 1));
    if (sum >= 0.95) return x;
  }
  return n;
}

/** Calibrates on one half and counts on the other. */
function halve(list: readonly Row[], seed: number, otherRate: number | undefined): Outcome {
  const random = createRandom(seed);
  const halves: [Row[], Row[]] = [[], []];
  for (const defect of [false, true]) {
    random.shuffle(list.filter((row) => row.defect === defect)).forEach((row, i) => halves[i % 2]!.push(row));
  }
  const [calibration, test] = halves;
  const result = chooseThresholds(
    calibration.map(({ predScore }) => predScore),
    calibration.map(({ defect }) => defect),
    { kind: 'maxEscapeRate', rate: limit },
    otherRate === undefined ? {} : { otherRate },
  );
  const choice: PolicyChoice | null = result.ok ? result : result.reachable;
  if (choice === null) throw new Error(result.ok ? '' : result.reason.text);
  const { escape, falseReject, normalReview, defectReview } = describeOperatingPoint(
    test.map(({ predScore }) => predScore),
    test.map(({ defect }) => defect),
    choice,
    { thresholdsFrom: 'elsewhere' },
  );
  const { high: promised, n: used } = choice.guarantees[0]!;
  const allowed = mostExpected(Math.max(1, toleranceRank(used, limit, 0.95)), used, escape.n);
  return {
    promised,
    kept: escape.count <= allowed,
    allowed,
    escapes: escape.count,
    defects: escape.n,
    falseRejects: falseReject.count,
    reviews: normalReview.count + defectReview.count,
    good: falseReject.n,
    more: result.ok ? 0 : (result.moreDefects ?? 0),
  };
}

const known = rows.filter((row) => row.known);
const groups: [string, Row[]][] = [
  ...[...new Set(known.map(({ pack }) => pack))].map((pack): [string, Row[]] => [
    pack,
    known.filter((row) => row.pack === pack),
  ]),
  ['all packs together', known],
];
console.log(`Limit: ${percent(limit)} escapes at 95 %. Halved ${String(halvings)} times; the first halving in full.\n`);
for (const otherRate of [undefined, 0.05]) {
  console.log(
    otherRate === undefined
      ? 'One threshold'
      : `\nTwo thresholds, false rejects limited to ${percent(otherRate)} or what can be shown`,
  );
  console.log(
    'pack                  promised  test escapes  allowed  interval           false rejects            reviews  within in   defects lacking',
  );
  for (const [name, list] of groups) {
    const first = halve(list, 1, otherRate);
    const outcomes = Array.from({ length: halvings }, (_, i) => halve(list, i + 1, otherRate));
    const interval = clopperPearson(first.escapes, first.defects, 0.95);
    const rejects = outcomes.map(({ falseRejects, good }) => falseRejects / good);
    const cells = [
      name.padEnd(20),
      percent(first.promised).padStart(8),
      `${String(first.escapes)} of ${String(first.defects)}`.padEnd(12),
      String(first.allowed).padEnd(7),
      `${percent(interval.low)} to ${percent(interval.high)}`.padEnd(17),
      `${String(first.falseRejects)} of ${String(first.good)}, median ${percent(median(rejects))}`.padEnd(23),
      String(first.reviews).padEnd(7),
      percent(outcomes.filter(({ kept }) => kept).length / halvings).padEnd(10),
      String(first.more),
    ];
    console.log(cells.join('  '));
  }
}

console.log('\nUnknown class: two of three good parts set the limit (1 %, or what can be shown), the third is judged');
const good = rows.filter((row) => !row.defect && row.known);
for (const scaled of [false, true]) {
  const setting = good.filter((_, i) => i % 3 !== 0);
  const limitOfAll = unknownClassThreshold(
    setting.map(({ classDistance }) => classDistance),
    scaled ? { classNames: setting.map(({ inferredClass }) => inferredClass) } : {},
  );
  const threshold = limitOfAll.ok ? limitOfAll : limitOfAll.reachable;
  if (threshold === null) continue;
  console.log(scaled ? 'In units of the inferred class:' : 'Raw distances:');
  const beyond = (list: readonly Row[]): string =>
    `${String(list.filter(({ classDistance, inferredClass }) => judge({ predScore: 0, classDistance, className: inferredClass }, { review: 1, fail: 2 }, threshold).verdict === 'review').length)} of ${String(list.length)}`;
  const { value, normals, falseAlarmRate } = threshold;
  console.log(
    `limit ${value.toPrecision(4)} from ${String(normals)} good parts: at most ${percent(falseAlarmRate)} at 95 %`,
  );
  console.log(`known good parts taken for unknown: ${beyond(good.filter((_, i) => i % 3 === 0))}`);
  console.log(`known defects taken for unknown: ${beyond(rows.filter((row) => row.defect && row.known))}`);
  for (const className of new Set(rows.filter((row) => !row.known).map((row) => row.className))) {
    console.log(
      `parts of the unknown class ${className}: ${beyond(rows.filter((row) => row.className === className))}`,
    );
  }
}
