import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rowOf } from '../../shared/linear-algebra.ts';
import { createRandom } from '../../shared/random.ts';
import { readDataset } from '../../main/datasets/read.ts';
import { headTensors } from '../../main/detector/model-tensors.ts';
import { openDetector } from '../../main/detector/open-detector.ts';
import { studentDims } from '../../main/detector/student-tensors.ts';
import { applyDefectHeads } from '../../main/nn/embedded-detector.ts';
import { tf } from '../../main/nn/tf.ts';
import { readPicture } from '../../main/pictures/decode.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { findDefects } from '../../main/training/defects.ts';
import type { TeacherFeatures } from '../../main/training/feature-cache.ts';
import { fitDefectHeads } from '../../main/training/fit-defect-heads.ts';
import { trainModel } from '../../main/training/run.ts';
import { takeSnapshot, type RunClass } from '../../main/training/snapshot.ts';
import '../nn/cpu-backend.ts';
import { BatchMaker, fitStandardisers, trainingPictures } from '../../main/training/student-batches.ts';
import { InventedFeatures, smallClasses, smallEntry, smallStudents } from './small-students.ts';
import { ignore, never, openPackage, papers, pictures, twoParts, Workplace } from './small-data.ts';

let place: Workplace;
let data: string;

beforeAll(async () => {
  place = await Workplace.make('defects');
  for (const part of twoParts)
    data = await place.part(part, { 'train/good': 3, 'calibration/good': 1, 'test/impurity': 2 });
});

afterAll(() => place.remove());

/** Batches of the small classes, with or without defects. */
async function maker(defects: readonly { picture: number; classIndex: number }[]): Promise<BatchMaker> {
  const features = new InventedFeatures(await smallEntry());
  const students = { ...smallStudents, batch: 16 };
  const dims = studentDims(features.entry);
  const normals = trainingPictures(smallClasses);
  const standardisers = await fitStandardisers(normals, features, dims, students);
  return new BatchMaker(normals, defects, features, dims, students, standardisers, 1);
}

describe('batches with labelled defects', () => {
  it('label two of sixteen 0, and those show the defects', async () => {
    const defects = [
      { picture: 100, classIndex: 0 },
      { picture: 101, classIndex: 1 },
    ];
    const [with2, without] = [await maker(defects), await maker([])];
    const rows = (targets: Float32Array): string[] => {
      const width = targets.length / 16;
      return Array.from({ length: 16 }, (_, b) => targets.slice(b * width, (b + 1) * width).join());
    };
    // Forty batches show all eight training pictures.
    const known = new Set<string>();
    for (let step = 100; step < 140; step++) {
      for (const row of rows((await without.make(step))['encoderTargets']!)) known.add(row);
    }
    expect(known.size).toBe(8);
    for (const step of [0, 1, 5]) {
      const [taught, plain] = [await with2.make(step), await without.make(step)];
      expect([...taught['label']!]).toEqual([...Array<number>(14).fill(1), 0, 0]);
      expect([...plain['label']!]).toEqual(Array(16).fill(1));
      const shown = rows(taught['encoderTargets']!);
      // The good ones are drawn as without defects.
      expect(shown.slice(0, 14)).toEqual(rows(plain['encoderTargets']!).slice(0, 14));
      expect(shown.slice(14).some((row) => known.has(row))).toBe(false);
    }
  });

  it('are the same again for the same step, so that a resumed training goes on with them', async () => {
    const defects = [{ picture: 100, classIndex: 0 }];
    expect(await (await maker(defects)).make(3)).toEqual(await (await maker(defects)).make(3));
  });
});

describe('finding defects', () => {
  it('takes a folder per class, or one that lies in a class, and any folder where there is one class', async () => {
    const perClass = await findDefects(
      twoParts.map((part) => path.join(data, part, 'test', 'impurity')),
      twoParts,
    );
    expect(perClass.map(({ className }) => className)).toEqual(twoParts.flatMap((part) => [part, part]));
    const flat = path.join(place.root, 'flat');
    await mkdir(flat);
    const [file] = await pictures(twoParts[0], 'test/impurity', 1);
    await cp(file!, path.join(flat, 'a.png'));
    expect(await findDefects([flat], [twoParts[0]])).toEqual([
      { path: path.join(flat, 'a.png'), className: twoParts[0] },
    ]);
    await expect(findDefects([flat], twoParts)).rejects.toMatchObject({ code: 'defectsUnassigned' });
  });

  it('refuses empty folders, missing ones, and folders of good pictures', async () => {
    const empty = path.join(place.root, 'empty');
    await mkdir(empty);
    await writeFile(path.join(empty, 'notes.txt'), '');
    for (const dir of [empty, path.join(place.root, 'nowhere')]) {
      const error = await findDefects([dir], twoParts).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'defectsMissing' });
      expect(String(error)).toContain(dir);
    }
    for (const dir of [path.join(data, twoParts[0]), path.join(data, twoParts[0], 'train', 'good')]) {
      await expect(findDefects([dir], twoParts)).rejects.toMatchObject({ code: 'defectsLayout' });
    }
  });
});

describe('a snapshot with defects', () => {
  const options = { seed: 1, shots: undefined };

  it('keeps them out of every class: not learned as good, not held out, not calibrated on', async () => {
    const dataset = await readDataset([data]);
    const given = await findDefects([path.join(data, twoParts[1], 'test', 'impurity')], dataset.classes);
    const without = await takeSnapshot(dataset, options, never);
    const withDefects = await takeSnapshot(dataset, { ...options, defects: [...given, ...given] }, never);
    expect(withDefects.classes).toEqual(without.classes);
    expect(withDefects.hash).toBe(without.hash);
    expect(withDefects.normalCount).toBe(without.normalCount);
    expect(withDefects.pictures.slice(0, 8)).toEqual(without.pictures);
    expect(withDefects.defects).toEqual([
      { picture: 8, classIndex: 1 },
      { picture: 9, classIndex: 1 },
    ]);
  });

  it('refuses a picture that is given as good and as a defect, naming both', async () => {
    const dataset = await readDataset([data]);
    const [good] = await pictures(twoParts[0], 'train/good', 1);
    const defects = [{ path: good!, className: twoParts[0] }];
    const error = await takeSnapshot(dataset, { ...options, defects }, never).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'goodAndDefect' });
    expect(String(error)).toContain(good);
    expect(String(error)).toContain(path.join(data, twoParts[0]));
  });
});

it('a model whose students learn from defects says so, has other students, and the same memory and snapshot', async () => {
  const one = { dataDirs: [path.join(data, twoParts[0])], instant: false, steps: 2, defectsBy: 'students' } as const;
  const plain = place.request(one);
  const taught = place.request({ ...one, defectDirs: [path.join(papers, twoParts[0], 'test', 'impurity')] });
  await trainModel(plain, ignore, never);
  await trainModel(taught, ignore, never);
  const [a, b] = [await openPackage(plain.out), await openPackage(taught.out)];
  expect(a.manifest.preset.constants).not.toHaveProperty('defects');
  expect(b.manifest.preset.constants).toHaveProperty('defects', { pictures: 8, share: 0.125 });
  expect(b.normals).toEqual(a.normals);
  expect(b.manifest.parity.pictures).toBe(a.manifest.parity.pictures);
  expect(b.manifest.thresholds.pooled.normals).toBe(a.manifest.thresholds.pooled.normals);
  expect(b.manifest.thresholds.pooled.defects).toBe(0);
  expect(Buffer.compare(a.graph, b.graph)).not.toBe(0);

  const warnings: string[] = [];
  const instant = place.request({ ...one, instant: true });
  const told = place.request({ ...taught, instant: true, out: `${instant.out} too` });
  await trainModel(instant, ignore, never);
  await trainModel(told, (event) => event.type === 'warning' && warnings.push(event.message), never);
  expect(warnings.join()).toContain('they are left out');
  expect(Buffer.compare((await openPackage(told.out)).graph, (await openPackage(instant.out)).graph)).toBe(0);
}, 300_000);

describe('a head over frozen scores and descriptors', () => {
  const dims = 30;
  const random = createRandom(4);
  const vectors = new Map<number, Float32Array>();
  /** 40 good pictures, ten of them held out; six defects that shift every fifth dimension. */
  for (let picture = 0; picture < 46; picture++) {
    const shift = picture < 40 ? 0 : 4;
    vectors.set(
      picture,
      Float32Array.from({ length: dims }, (_, k) => 3 + random.normal() + (k % 5 === 0 ? shift : 0)),
    );
  }
  const layout = { headPart: { from: 2, to: dims } };
  const store = {
    get: (picture: number) => Promise.resolve({ vector: vectors.get(picture)! } as TeacherFeatures),
  };
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  const classOf = (name: string, first: number, count: number): RunClass => ({
    name,
    pictures: range(first, first + count),
    split: { heldOut: range(0, count / 4), training: range(count / 4, count) },
    calibration: [],
  });
  const classes = [classOf('a', 0, 20), classOf('b', 20, 20)];
  const defects = range(40, 46).map((picture) => ({ picture, classIndex: 0 }));
  /** The fused score does not see these defects. */
  const blind = (picture: number): Promise<number> => Promise.resolve(2 + ((picture * 7) % 5) / 5);

  it('learns the direction of defects that the fused score does not see; other classes stay as they are', async () => {
    const { heads, notices } = await fitDefectHeads({ classes, defects }, layout, store, blind);
    expect(notices).toEqual([expect.stringMatching(/^"a": of the labelled defects, .* 6 of 6 lie above/)]);
    expect(heads!.weight[0]).toBeGreaterThan(0.5);
    expect([heads!.factor[1], heads!.weight[1], heads!.offset[1]]).toEqual([1, 0, 0]);
    expect(rowOf(heads!.towards, 1).every((value) => value === 0)).toBe(true);
    // The tensors say what the numbers say.
    const tensors = headTensors(heads!);
    const apply = async (picture: number, c: number): Promise<number> =>
      applyDefectHeads(
        tf.tensor1d([await blind(picture)]),
        tf.tensor2d(vectors.get(picture)!.slice(2), [1, dims - 2]),
        tf.tensor1d([c], 'int32'),
        tensors,
      ).dataSync()[0]!;
    const shown = await Promise.all(defects.map(({ picture }) => apply(picture, 0)));
    const good = await Promise.all(classes[0]!.pictures.map((picture) => apply(picture, 0)));
    expect(Math.min(...shown)).toBeGreaterThan(Math.max(...good));
    expect(await apply(25, 1)).toBeCloseTo(await blind(25), 6);
  });

  it('one labelled defect, or hardly a good picture held out, teaches nothing, and that is said', async () => {
    const one = await fitDefectHeads({ classes, defects: defects.slice(0, 1) }, layout, store, blind);
    expect(one).toEqual({ heads: undefined, notices: [expect.stringContaining('too few to learn from')] });
    const learned = classes.map((own) => ({ ...own, split: { heldOut: [], training: range(0, 20) } }));
    const { heads } = await fitDefectHeads({ classes: learned, defects }, layout, store, blind);
    expect(heads).toBeUndefined();
  });

  it('is in the model: labelled kinds score higher, the other class exactly as before', async () => {
    const larger = await Workplace.make('defect-heads');
    try {
      let dir = '';
      for (const part of twoParts) dir = await larger.part(part, { 'train/good': 12, 'test/impurity': 2 });
      const plain = larger.request({ dataDirs: [dir], instant: true });
      const told = larger.request({
        dataDirs: [dir],
        instant: true,
        defectDirs: [path.join(papers, twoParts[0], 'test', 'impurity')],
      });
      await trainModel(plain, ignore, never);
      await trainModel(told, ignore, never);
      const b = await openPackage(told.out);
      const { heads, by, pictures: count } = b.manifest.preset.constants['defects'] as unknown as HeadNote;
      expect([by, count, heads[twoParts[1]]]).toEqual(['head', 8, [1, 0, 0]]);
      expect(heads[twoParts[0]]![1]).toBeGreaterThan(0);
      const scores = async (model: string): Promise<number[]> => {
        const detector = await openDetector(model, { engine: 'cpu', threads: 1 });
        const out: number[] = [];
        for (const part of twoParts) {
          for (const file of await pictures(part, 'test/impurity', 2)) {
            const [found] = await detector.inspect([
              preparePicture(await readPicture(file), { size: detector.inputSize }),
            ]);
            out.push(found!.predScore);
          }
        }
        await detector.close();
        return out;
      };
      const [before, after] = [await scores(plain.out), await scores(told.out)];
      expect(after.slice(0, 2)).not.toEqual(before.slice(0, 2));
      expect(after.slice(2)).toEqual(before.slice(2).map((score) => expect.closeTo(score, 5) as number));
    } finally {
      await larger.remove();
    }
  }, 300_000);

  it('a paper preset has none', async () => {
    const asked = place.request({ dataDirs: [data], instant: false, preset: 'paper-small', defectsBy: 'head' });
    await expect(trainModel(asked, ignore, never)).rejects.toMatchObject({ code: 'defectsByPreset' });
  });
});

interface HeadNote {
  by: string;
  pictures: number;
  heads: Record<string, number[]>;
}
