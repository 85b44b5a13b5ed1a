import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingEvent } from '../../shared/training-events.ts';
import type { Dataset } from '../../main/datasets/dataset.ts';
import { trainModel } from '../../main/training/run.ts';
import { chooseWatched, mostWatched } from '../../main/training/watch.ts';
import { ignore, never, openPackage, twoParts, Workplace } from './small-data.ts';

function dataset(counts: Record<string, { good: number; defect: number; train?: number }>): Dataset {
  const pictures = Object.entries(counts).flatMap(([className, { good, defect, train = 0 }]) => [
    ...Array.from({ length: train }, (_, i) => ({
      path: `/${className}/train/${String(i)}`,
      className,
      split: 'train' as const,
      gtLabel: 'good' as const,
    })),
    ...Array.from({ length: good + defect }, (_, i) => ({
      path: `/${className}/test/${String(i)}`,
      className,
      split: 'test' as const,
      gtLabel: i < good ? ('good' as const) : ('defect' as const),
    })),
  ]);
  return { classes: Object.keys(counts), pictures, warnings: [] };
}

describe('pictures that a run looks at', () => {
  it('are held-out labelled ones, as evenly from the classes as they come, the same each time', () => {
    const data = dataset({ a: { good: 40, defect: 2, train: 9 }, b: { good: 3, defect: 40, train: 9 } });
    const watched = chooseWatched(data);
    const count = (className: string, isDefect: boolean): number =>
      watched.filter((one) => one.className === className && one.isDefect === isDefect).length;
    expect([count('a', false), count('b', false)]).toEqual([mostWatched - 3, 3]);
    expect([count('a', true), count('b', true)]).toEqual([2, mostWatched - 2]);
    expect(watched.every(({ path }) => path.includes('/test/'))).toBe(true);
    expect(new Set(watched.map(({ path }) => path)).size).toBe(watched.length);
    expect(
      chooseWatched({ ...data, pictures: [...data.pictures].reverse() })
        .map(({ path }) => path)
        .sort(),
    ).toEqual(watched.map(({ path }) => path).sort());
  });

  it('leaves out classes that the run does not know', () => {
    const data = dataset({ a: { good: 2, defect: 2 }, b: { good: 2, defect: 2 } });
    expect(chooseWatched({ ...data, classes: ['a'] }).every(({ className }) => className === 'a')).toBe(true);
  });
});

describe('a run that looks', () => {
  let place: Workplace;
  const events: TrainingEvent[] = [];
  const watched = () => events.flatMap((event) => (event.type === 'watched' ? [event] : []));

  beforeAll(async () => {
    place = await Workplace.make('watch');
    for (const part of twoParts) await place.part(part, { 'train/good': 8, 'test/good': 3, 'test/impurity': 3 });
  });
  afterAll(() => place.remove());

  it('tells the AUROC of memory and students, and learns exactly what it learns without looking', async () => {
    const looking = place.request({ instant: false, watch: true });
    const blind = place.request({ instant: false });
    await trainModel(looking, (event) => events.push(event), never);
    await trainModel(blind, ignore, never);
    expect(events.filter(({ type }) => type === 'warning')).toEqual([]);
    expect(watched()[0]).toMatchObject({ part: 'memory', step: 0, good: 6, defects: 6 });
    const students = watched().filter(({ part }) => part === 'students');
    expect(students.length).toBeGreaterThan(0);
    for (const { auroc, step } of watched()) {
      expect(auroc).toBeGreaterThanOrEqual(0);
      expect(auroc).toBeLessThanOrEqual(1);
      expect(step).toBeLessThanOrEqual(4);
    }
    // Printed parts with impurities: the memory alone sees nearly all.
    expect(watched()[0]!.auroc).toBeGreaterThan(0.8);
    const [one, other] = [await openPackage(looking.out), await openPackage(blind.out)];
    expect(Buffer.compare(one.graph, other.graph)).toBe(0);
    expect(one.manifest.thresholds).toEqual(other.manifest.thresholds);
  }, 300_000);
});
