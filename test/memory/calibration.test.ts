import { describe, expect, it } from 'vitest';
import { createRandom } from '../../shared/random.ts';
import {
  evenlySpaced,
  heldOutCount,
  shrunkDeviations,
  splitGroups,
  splitPictures,
  standardise,
  standardised,
  standardiseShifted,
  usesRawDistances,
} from '../../main/memory/calibrate.ts';
import { createLeaveOneOut, logDistance } from '../../main/memory/leave-one-out.ts';
import { leaveOneOutStatistics, localMap, randomMatrix, rows, search, smoothed, tokenScores } from './reference.ts';

function expectAll(actual: ArrayLike<number>, expected: ArrayLike<number>, digits = 5): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(actual[i]).toBeCloseTo(expected[i]!, digits);
}

/** Two classes of three pictures; a bank of ten tokens of each. */
function smallBank() {
  const pictures = [0, 1, 2, 3, 4, 5].map((i) => rows(randomMatrix(30, 6, i, 1, i < 3 ? 0 : 2)));
  const entries = pictures.flatMap((tokens) => tokens.slice(0, 10));
  const entryPicture = Int32Array.from(entries, (_, b) => Math.floor(b / 10));
  const entryClass = entryPicture.map((picture) => (picture < 3 ? 0 : 1));
  return { pictures, entries, entryPicture, entryClass };
}

describe('createLeaveOneOut', () => {
  it('gives the statistics of the plain search', () => {
    const { pictures, entries, entryPicture, entryClass } = smallBank();
    const collector = createLeaveOneOut(entryClass, 2);
    const tokens = pictures.flatMap((picture, i) => {
      const classIndex = i < 3 ? 0 : 1;
      const { distances, chosen } = search(picture, entries, entryPicture, i);
      expect(chosen.some((b) => entryPicture[b] === i)).toBe(false);
      collector.add(classIndex, distances, chosen);
      return distances.map((distance, t) => ({ classIndex, entry: chosen[t]!, log: logDistance(distance) }));
    });
    const expected = leaveOneOutStatistics(tokens, entryClass, 2);
    const actual = collector.finish();
    expectAll(actual.classMean, expected.classMean);
    expectAll(actual.classVariance, expected.classVariance);
    expectAll(actual.entryMean, expected.entryMean);
    expectAll(actual.entryVariance, expected.entryVariance);
    const spared = new Set(tokens.map(({ entry }) => entry));
    const untouched = entries.findIndex((_, b) => !spared.has(b));
    expect(untouched).toBeGreaterThanOrEqual(0);
    expect(actual.entryMean[untouched]).toBeCloseTo(actual.classMean[entryClass[untouched]!]!, 6);
  });

  it('takes the class statistics for all entries of a class with raw distances', () => {
    const collector = createLeaveOneOut(Int32Array.of(0, 0, 1), 2);
    collector.add(0, [0.5, 1, 2], [0, 0, 1]);
    collector.add(1, [3, 5], [2, 2]);
    const { classMean, classVariance, entryMean, entryVariance } = collector.finish([true, false]);
    expectAll(entryMean.subarray(0, 2), [classMean[0]!, classMean[0]!]);
    expectAll(entryVariance.subarray(0, 2), [classVariance[0]!, classVariance[0]!]);
    expect(classMean[0]).toBeCloseTo(0, 6);
    // Two of seven parts are its own spread around its own mean.
    expect(entryVariance[2]).toBeCloseTo(classVariance[1]!, 6);
  });

  it('bounds variances and distances', () => {
    expect(logDistance(0)).toBe(Math.log(1e-3));
    const collector = createLeaveOneOut(Int32Array.of(0), 1);
    collector.add(0, [2, 2, 2], [0, 0, 0]);
    const statistics = collector.finish();
    expect(statistics.entryVariance[0]).toBeCloseTo(1e-6, 12);
    expect(statistics.classVariance[0]).toBeCloseTo(1e-6, 12);
  });

  it('one picture in all: nothing to search, plain logarithms remain', () => {
    const collector = createLeaveOneOut(Int32Array.of(0, 0), 1);
    const found = search(
      [[1, 2]],
      [
        [0, 0],
        [1, 1],
      ],
      [7, 7],
      7,
    );
    expect(found).toEqual({ distances: [Infinity], chosen: [-1] });
    collector.add(0, found.distances, found.chosen);
    const s = collector.finish();
    expect([s.classMean[0], s.classVariance[0], s.entryMean[1], s.entryVariance[1]]).toEqual([0, 1, 0, 1]);
  });

  it('a class without tokens takes the statistics of all', () => {
    const collector = createLeaveOneOut(Int32Array.of(0, 1), 2);
    collector.add(0, [1, Math.E ** 2], [0, 0]);
    const s = collector.finish();
    expectAll(s.classMean, [1, 1]);
    expectAll(s.classVariance, [1, 1]);
    expect(s.entryMean[1]).toBeCloseTo(1, 6);
  });
});

describe('the plain map', () => {
  it('is flat for flat scores and finds a peak wherever it is', () => {
    expectAll(localMap(new Array<number>(4).fill(3), 2, new Array<number>(16).fill(1), 4).map, new Array(16).fill(2));
    const fine = new Array<number>(16).fill(0);
    fine[0] = 9;
    const { map, score } = localMap([0, 0, 0, 0], 2, fine, 4);
    expect(map[0]).toBe(4.5);
    // The corner's mean is over the four cells present.
    expect(score).toBeCloseTo(4.5 / 4, 10);
    expect(smoothed([1, 1, 1, 1], 2)).toEqual([1, 1, 1, 1]);
  });

  it('scores are standardised logarithms, by entry and by class', () => {
    const s = { classMean: [0.5], classVariance: [4], entryMean: [0, 1], entryVariance: [1, 0.25] };
    expectAll(tokenScores({ distances: [Math.E, 0], chosen: [1, 0] }, s, 0), [
      0 + 0.25,
      Math.log(1e-3) + (Math.log(1e-3) - 0.5) / 2,
    ]);
  });
});

describe('standardise', () => {
  it('shrinks deviations towards the mean variance of all classes', () => {
    const scores = [
      [1, 3],
      [0, 2, 4],
    ];
    const g2 = (2 + 4) / 2;
    expectAll(shrunkDeviations(scores), [Math.sqrt((2 * 1 + 8 * g2) / 9), Math.sqrt((4 * 2 + 8 * g2) / 10)]);
    const scale = standardise(scores);
    expectAll(scale.mean, [2, 2]);
    expect(standardised(scale, 0, 2 + scale.sd[0]!)).toBeCloseTo(1, 6);
  });

  it('lends statistics to classes with one score or none', () => {
    const scale = standardise([[1, 3], [5], []]);
    expectAll(scale.mean, [2, 5, 3.5]);
    expectAll(scale.sd, [Math.sqrt(2), Math.sqrt(2), Math.sqrt(2)]);
  });

  it('falls back on stated defaults, never NaN', () => {
    expectAll(standardise([[]]).mean, [0]);
    expectAll(standardise([[]], 3).mean, [3]);
    expectAll(standardise([[]]).sd, [1]);
    expectAll(standardise([[4]]).sd, [1]);
    expectAll(standardise([[4, 4, 4]]).sd, [1e-3]);
  });
});

describe('standardiseShifted', () => {
  it('moves means to what held-out pictures show', () => {
    const training = [
      [0, 2],
      [10, 14],
    ];
    const heldOut = [[3, 3, 3], []];
    const { mean, sd } = standardise(training);
    const delta = (3 - 1) / sd[0]!;
    const shifted = standardiseShifted(training, heldOut);
    expectAll(shifted.sd, sd);
    expectAll(shifted.mean, [
      mean[0]! + (sd[0]! * (3 * delta + 8 * delta)) / 11,
      mean[1]! + (sd[1]! * (8 * delta)) / 8,
    ]);
  });

  it('without held-out pictures leaves the means', () => {
    expectAll(standardiseShifted([[1, 2], []], [[], []]).mean, [1.5, 1.5]);
  });
});

describe('split', () => {
  it('holds out max(4, n/10), nothing of few', () => {
    expect([1, 8, 9, 40, 59, 900].map(heldOutCount)).toEqual([0, 0, 4, 4, 5, 90]);
    expect([usesRawDistances(8), usesRawDistances(9)]).toEqual([true, false]);
  });

  it('is seeded, disjoint and complete', () => {
    const { training, heldOut } = splitPictures(50, createRandom(1));
    expect([...training, ...heldOut].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(heldOut.length).toBe(5);
    expect(splitPictures(50, createRandom(1)).heldOut).toEqual(heldOut);
    expect(splitPictures(50, createRandom(2)).heldOut).not.toEqual(heldOut);
    expect(splitPictures(1, createRandom(1))).toEqual({ training: [0], heldOut: [] });
  });

  it('keeps groups whole, and gives up where whole ones would hold out too much', () => {
    const lots = Array.from({ length: 60 }, (_, i) => `lot ${String(Math.floor(i / 5))}`);
    const { training, heldOut } = splitGroups(lots, 1)!;
    expect(heldOut.length).toBe(10);
    expect([...training, ...heldOut].toSorted((a, b) => a - b)).toEqual(lots.map((_, i) => i));
    const kept = new Set(training.map((i) => lots[i]));
    expect(heldOut.some((i) => kept.has(lots[i]))).toBe(false);
    expect(splitGroups(lots, 1)).toEqual({ training, heldOut });
    const halves = lots.map((_, i) => (i < 30 ? 'a' : 'b'));
    expect(splitGroups(halves, 1)).toBeUndefined();
    expect(splitGroups(lots.fill('a'), 1)).toBeUndefined();
    expect(splitGroups(['a', 'a', 'b'], 1)).toEqual({ training: [0, 1, 2], heldOut: [] });
  });

  it('spaces calibration pictures evenly', () => {
    expect(evenlySpaced(3, 60)).toEqual([0, 1, 2]);
    expect(evenlySpaced(100, 4)).toEqual([12, 37, 62, 87]);
    expect(evenlySpaced(0, 60)).toEqual([]);
    const many = evenlySpaced(997, 60);
    expect([many.length, new Set(many).size, many.at(-1)! < 997]).toEqual([60, 60, true]);
  });
});
