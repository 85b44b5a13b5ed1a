import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { encode } from 'fast-png';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dataset } from '../../main/datasets/dataset.ts';
import { otherClasses } from '../../main/datasets/layouts.ts';
import { readDataset } from '../../main/datasets/read.ts';
import { UserError } from '../../shared/errors.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'twinspect-data-'));
});
afterEach(() => rm(root, { recursive: true }));

/** Writes small pictures, each with its own content unless `shade` says otherwise. */
let nextShade = 0;
async function put(path: string, shade = nextShade++): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  const data = new Uint8Array(4 * 4 * 3).fill(shade & 255);
  data[0] = shade >> 8;
  await writeFile(file, encode({ width: 4, height: 4, data, channels: 3 }));
}
const putAll = async (paths: string[]): Promise<void> => void (await Promise.all(paths.map((path) => put(path))));

async function errorOf(promise: Promise<unknown>): Promise<UserError> {
  const error: unknown = await promise.then(
    () => new Error('was accepted'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof UserError)) throw error;
  return error;
}

/** `class split label[:defect] path [mask]` per picture, relative to the root. */
const brief = (dataset: Dataset): string[] =>
  dataset.pictures.map(({ className, split, gtLabel, defectType, path, maskPath }) =>
    [className, split, defectType === undefined ? gtLabel : `${gtLabel}:${defectType}`, relative(root, path)]
      .concat(maskPath === undefined ? [] : [relative(root, maskPath)])
      .join(' '),
  );

describe('readDataset', () => {
  it('reads one class with calibration, tests and both kinds of mask names', async () => {
    await putAll(['nut/train/good/b.png', 'nut/train/good/a.JPG', 'nut/calibration/good/c.png', 'nut/test/good/d.png']);
    await putAll(['nut/test/crack/e.png', 'nut/ground_truth/crack/e_mask.png']);
    await putAll(['nut/test/dent/f.bmp', 'nut/ground_truth/dent/f.png', 'nut/test/scratch/g.tif']);
    await writeFile(join(root, 'nut', 'train', 'good', 'Thumbs.db'), 'x');
    await writeFile(join(root, 'nut', 'train', 'good', '._a.png'), 'x');
    const dataset = await readDataset([join(root, 'nut')]);
    expect(dataset.classes).toEqual(['nut']);
    expect(brief(dataset)).toEqual([
      'nut train good nut/train/good/a.JPG',
      'nut train good nut/train/good/b.png',
      'nut calibration good nut/calibration/good/c.png',
      'nut test defect:crack nut/test/crack/e.png nut/ground_truth/crack/e_mask.png',
      'nut test defect:dent nut/test/dent/f.bmp nut/ground_truth/dent/f.png',
      'nut test good nut/test/good/d.png',
      'nut test defect:scratch nut/test/scratch/g.tif',
    ]);
    expect(dataset.warnings).toEqual([]);
  });

  it('reads a folder of classes, sorted, and says what it left out', async () => {
    await putAll([
      'set/b/train/good/1.png',
      'set/b/train/good/2.png',
      'set/a/train/good/1.png',
      'set/a/train/good/2.png',
    ]);
    await putAll(['set/docs/logo.png']);
    const dataset = await readDataset([join(root, 'set')]);
    expect(dataset.classes).toEqual(['a', 'b']);
    expect(dataset.pictures).toHaveLength(4);
    expect(dataset.warnings).toEqual([expect.stringContaining('"docs"')]);
  });

  it('reads a folder of folders with pictures: all good, for training', async () => {
    await putAll(['kinds/screw/1.png', 'kinds/screw/2.png', 'kinds/nut/1.webp', 'kinds/nut/2.webp']);
    const dataset = await readDataset([join(root, 'kinds')]);
    expect(dataset.classes).toEqual(['nut', 'screw']);
    expect(dataset.pictures.every((p) => p.split === 'train' && p.gtLabel === 'good')).toBe(true);
  });

  it('reads several folders at once and follows links', async () => {
    await putAll([
      'one/train/good/1.png',
      'one/train/good/2.png',
      'set/two/train/good/1.png',
      'set/two/train/good/2.png',
    ]);
    await symlink(join(root, 'one'), join(root, 'set', 'linked'), 'junction');
    const dataset = await readDataset([join(root, 'set')]);
    expect(dataset.classes).toEqual(['linked', 'two']);
    expect((await readDataset([join(root, 'one'), join(root, 'set', 'two')])).classes).toEqual(['one', 'two']);
  });

  it('gives the same list for the same content elsewhere', async () => {
    await putAll(['x/a/train/good/10.png', 'x/a/train/good/9.png', 'x/a/test/ö/1.png', 'x/a/test/z/1.png']);
    await cp(join(root, 'x'), join(root, 'y', 'deeper'), { recursive: true });
    const first = brief(await readDataset([join(root, 'x')]));
    const second = brief(await readDataset([join(root, 'y', 'deeper')]));
    expect(second.map((line) => line.replaceAll('y/deeper/', 'x/'))).toEqual(first);
  });

  it('handles spaces, umlauts, Korean and emoji', async () => {
    const name = 'Große Teile 부품 🍪';
    await putAll([`${name}/train/good/größe 1.png`, `${name}/train/good/좋은.png`, `${name}/test/결함 💥/x y.png`]);
    await put(`${name}/ground_truth/결함 💥/x y_mask.png`);
    const dataset = await readDataset([join(root, name)]);
    expect(dataset.classes).toEqual([name.normalize('NFC')]);
    expect(dataset.pictures.map((p) => basename(p.path))).toEqual(['größe 1.png', '좋은.png', 'x y.png']);
    expect(dataset.pictures[2]!.maskPath).toContain('x y_mask.png');
    expect(dataset.pictures[2]!.defectType).toBe('결함 💥');
  });

  it('reads UniAD splits only when asked', async () => {
    await putAll(['c/train/cat/1.png', 'c/train/cat/2.png', 'c/train/dog/1.png', 'c/train/dog/2.png']);
    await putAll(['c/test/cat/1.png', 'c/test/dog/1.png']);
    const dataset = await readDataset([join(root, 'c')], { normalClasses: ['cat'] });
    expect(dataset.classes).toEqual(['cat']);
    expect(brief(dataset)).toEqual([
      'cat train good c/train/cat/1.png',
      'cat train good c/train/cat/2.png',
      'cat test good c/test/cat/1.png',
      `${otherClasses} test defect:dog c/test/dog/1.png`,
    ]);
    expect((await errorOf(readDataset([join(root, 'c')]))).code).toBe('datasetLayout');
    const missing = await errorOf(readDataset([join(root, 'c')], { normalClasses: ['cow'] }));
    expect(missing.message).toContain('"cow"');
  });

  it('reads the bundled sample set: 12 classes, nothing to warn about', async () => {
    const sample = join(import.meta.dirname, '..', '..', 'models', 'sample', 'papers');
    const dataset = await readDataset([sample]);
    expect(dataset.classes).toHaveLength(12);
    expect(dataset.warnings).toEqual([]);
    for (const className of dataset.classes) {
      const own = dataset.pictures.filter((p) => p.className === className);
      const count = (split: string, label: string): number =>
        own.filter((p) => p.split === split && p.gtLabel === label).length;
      expect([count('train', 'good'), count('calibration', 'good'), count('test', 'good')]).toEqual([20, 5, 6]);
      expect(own.filter((p) => p.gtLabel === 'defect' && p.maskPath !== undefined)).toHaveLength(8);
    }
  });
});

describe('wrong layouts', () => {
  /** The message shows the layouts expected and what is there. */
  async function refused(dir: string, found: RegExp, remedy: RegExp): Promise<void> {
    const error = await errorOf(readDataset([join(root, dir)]));
    expect(error.code).toBe('datasetLayout');
    expect(error.message).toContain(join(root, dir));
    expect(error.message).toContain(`${basename(dir)}/train/good/*.png`);
    expect(error.message).toMatch(/<class>\/train\/good/);
    expect(error.message).toMatch(/list\.csv or list\.json/);
    expect(error.message.split('Found:')[1]).toMatch(found);
    expect(error.remedy).toMatch(remedy);
  }

  it('pictures directly in the folder', async () => {
    await putAll(['flat/1.png', 'flat/2.png']);
    await refused('flat', /flat\/ {2}\(2 pictures\)/, /flat\/train\/good/);
  });
  it('an empty folder', async () => {
    await mkdir(join(root, 'empty'));
    await refused('empty', /\(empty\)/, /empty: check the path/);
  });
  it('train without good', async () => {
    await putAll(['nut/train/1.png', 'nut/test/good/1.png']);
    await refused('nut', /test\/[\s\S]*train\/ {2}\(1 picture\)/, /train into train\/good/);
  });
  it('good pictures under another name', async () => {
    await putAll(['nut/train/ok/1.png', 'nut/test/good/1.png']);
    await refused('nut', /ok\/ {2}\(1 picture\)/, /"ok"\) to "good"/);
  });
  it('good and bad side by side', async () => {
    await putAll(['nut/good/1.png', 'nut/bad/1.png']);
    await refused('nut', /bad\/[\s\S]*good\//, /nut\/good to nut\/train\/good/);
  });
  it('only other files', async () => {
    await mkdir(join(root, 'texts', 'a'), { recursive: true });
    await writeFile(join(root, 'texts', 'a', 'x.txt'), 'x');
    await refused('texts', /a\/ {2}\(1 other file\)/, /<class>\/train\/good/);
  });
  it('a missing folder', async () => {
    const error = await errorOf(readDataset([join(root, 'none')]));
    expect(error.code).toBe('datasetMissing');
    expect(error.message).toContain('none');
  });
  it('no folder at all', async () => expect((await errorOf(readDataset([]))).code).toBe('datasetMissing'));
  it('two classes of one name', async () => {
    await putAll(['a/nut/train/good/1.png', 'b/nut/train/good/2.png']);
    const error = await errorOf(readDataset([join(root, 'a'), join(root, 'b')]));
    expect(error.code).toBe('classNameTwice');
    expect(error.message).toContain(join(root, 'a'));
    expect(error.message).toContain(join(root, 'b'));
    expect((await errorOf(readDataset([join(root, 'a'), join(root, 'a')]))).code).toBe('classNameTwice');
  });
});

describe('checks', () => {
  it('no normal pictures', async () => {
    await mkdir(join(root, 'nut', 'train', 'good'), { recursive: true });
    await putAll(['nut/test/good/1.png', 'nut/test/crack/1.png']);
    const error = await errorOf(readDataset([join(root, 'nut')]));
    expect(error.code).toBe('noNormalPictures');
    expect(error.message).toContain('"nut"');
    expect((await readDataset([join(root, 'nut')], { needTrain: false })).pictures).toHaveLength(2);
  });

  it('a test-only class is read for evaluation', async () => {
    await putAll(['set/nut/test/good/1.png', 'set/nut/test/crack/1.png']);
    expect((await readDataset([join(root, 'set')], { needTrain: false })).classes).toEqual(['nut']);
    expect((await errorOf(readDataset([join(root, 'set')]))).code).toBe('datasetLayout');
  });

  it('one normal picture', async () => {
    await put('nut/train/good/1.png');
    expect((await readDataset([join(root, 'nut')])).warnings).toEqual([
      expect.stringMatching(/"nut" has one normal picture only/),
    ]);
  });

  it('identical content: good and defect, good and test, twice in training, two classes', async () => {
    await put('set/nut/train/good/1.png', 70_000);
    await put('set/nut/train/good/again.png', 70_000);
    await put('set/nut/test/crack/same as good.png', 70_000);
    await put('set/nut/train/good/2.png', 70_001);
    await put('set/nut/test/good/2.png', 70_001);
    await put('set/bolt/train/good/3.png', 70_002);
    await put('set/nut/train/good/3.png', 70_002);
    await put('set/bolt/train/good/4.png');
    const { warnings } = await readDataset([join(root, 'set')]);
    expect(warnings).toHaveLength(4);
    expect(warnings[0]).toMatch(/"nut".*as good for training and as a defect.*1\.png.*same as good\.png/);
    expect(warnings[1]).toMatch(/"nut".*figures are measured on.*2\.png.*test.good.2\.png/);
    expect(warnings[2]).toMatch(/"nut".*twice in training.*1\.png.*again\.png/);
    expect(warnings[3]).toMatch(/"bolt".*two classes.*3\.png/);
  });

  it('names a few of many duplicates and counts the rest', async () => {
    for (let i = 0; i < 12; i++) await put(`nut/train/good/${i}.png`, 80_000);
    const { warnings } = await readDataset([join(root, 'nut')]);
    expect(warnings).toEqual([expect.stringMatching(/11 pictures .*and 8 more/)]);
  });

  it('says when some defects have no mask', async () => {
    await putAll(['nut/train/good/1.png', 'nut/train/good/2.png', 'nut/test/crack/1.png', 'nut/test/crack/2.png']);
    await put('nut/ground_truth/crack/1_mask.png');
    expect((await readDataset([join(root, 'nut')])).warnings).toEqual([expect.stringContaining('1 of 2 pictures')]);
  });

  it('says that other folders of train are not learned from', async () => {
    await putAll(['nut/train/good/1.png', 'nut/train/good/2.png', 'nut/train/bad/1.png']);
    const { warnings, pictures } = await readDataset([join(root, 'nut')]);
    expect(warnings).toEqual([expect.stringContaining('"bad"')]);
    expect(pictures).toHaveLength(2);
  });

  it('large files are compared as streams', async () => {
    await put('nut/train/good/3.png');
    const big = Buffer.alloc(5 << 20, 7);
    await writeFile(join(root, 'nut', 'train', 'good', '1.bmp'), big);
    await writeFile(join(root, 'nut', 'train', 'good', '2.bmp'), big);
    expect((await readDataset([join(root, 'nut')])).warnings).toEqual([expect.stringMatching(/1\.bmp.*2\.bmp/)]);
  });
});

describe('lists', () => {
  const list = async (name: string, text: string): Promise<string> => {
    await writeFile(join(root, name), text);
    return join(root, name);
  };

  it('CSV with relative paths and defaults', async () => {
    await putAll(['p/1.png', 'p/ü 2.png', 'p/3.png', 'p/4.png', 'p/4m.png']);
    const csv =
      '\uFEFFpath,class,split,label,mask\np/1.png,nut,,,\np/ü 2.png,nut,train,good,\n' +
      'p/3.png,nut,calibration,Good,\n"p/4.png",nut,,crack,p/4m.png\n';
    const dataset = await readDataset([await list('list.csv', csv)]);
    expect(brief(dataset)).toEqual([
      'nut train good p/1.png',
      'nut train good p/ü 2.png',
      'nut calibration good p/3.png',
      'nut test defect:crack p/4.png p/4m.png',
    ]);
  });

  it('CSV with semicolons, as spreadsheets write it', async () => {
    await putAll(['1.png', '2.png']);
    const dataset = await readDataset([await list('l.csv', 'path;class\r\n1.png;nut\r\n2.png;nut\r\n')]);
    expect(dataset.pictures).toHaveLength(2);
  });

  it('JSON with several classes', async () => {
    await putAll(['1.png', '2.png', '3.png']);
    const rows = [
      { path: '1.png', class: 'nut' },
      { path: '2.png', class: 'bolt', split: 'train', label: 'good', mask: null },
      { path: '3.png', class: 'bolt', label: 'bent' },
    ];
    const dataset = await readDataset([await list('l.json', JSON.stringify(rows))]);
    expect(dataset.classes).toEqual(['bolt', 'nut']);
    expect(dataset.pictures.filter((p) => p.gtLabel === 'defect').map((p) => p.defectType)).toEqual(['bent']);
  });

  it('names missing files', async () => {
    await put('1.png');
    const error = await errorOf(
      readDataset([await list('l.csv', 'path,class,mask\n1.png,nut,\ngone.png,nut,m.png\n')]),
    );
    expect(error.code).toBe('listFilesMissing');
    expect(error.message).toContain(join(root, 'gone.png'));
    expect(error.message).toContain(join(root, 'm.png'));
  });

  it.each([
    ['a.csv', 'file,kind\n1.png,nut\n', /entry 1: path/],
    ['b.csv', 'path,class,split\n1.png,nut,val\n', /entry 1: split/],
    ['c.csv', 'path,class,split,label\n1.png,nut,train,crack\n', /entry 1.*crack.*split test/],
    ['d.csv', 'path,class\n', /empty/],
    ['e.csv', 'path,class\n1.png,nut,too,many\n', /not valid CSV/],
    ['f.json', '{"path":', /not valid JSON/],
    ['g.json', '{"path": "1.png"}', /not an array/],
    ['h.txt', 'path,class\n', /neither a folder nor a \.csv/],
  ])('%s is refused with its reason', async (name, text, what) => {
    await put('1.png');
    const error = await errorOf(readDataset([await list(name, text)]));
    expect(error.code).toBe('listInvalid');
    expect(error.message).toContain(name);
    expect(error.message).toMatch(what);
  });
});
