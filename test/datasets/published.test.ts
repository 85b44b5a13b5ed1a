import { spawnSync } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import { findProtocol, readProtocolData } from '../../main/benchmark/protocols.ts';
import { archivesIn, unpackOnce } from '../../main/datasets/archive.ts';
import {
  industrialSources,
  isMvtecRoot,
  isRealIadRoot,
  isVisaRoot,
  locoClasses,
  mvtecClasses,
  readMvtec,
  readRealIad,
  readVisa,
} from '../../main/datasets/industrial-sets.ts';
import { findRoot, notFound, type PublishedSet } from '../../main/datasets/published-set.ts';
import {
  isCifarRoot,
  isFashionRoot,
  isViewRoot,
  readCifarSet,
  readFashion,
  readView,
  viewClasses,
} from '../../main/datasets/semantic-sets.ts';
import { readPicture } from '../../main/pictures/decode.ts';
import {
  cifarBinary,
  classFolders,
  idx,
  locoTree,
  mvtecTree,
  putMask,
  putPicture,
  putText,
  realIadTree,
  tarOf,
  visaTree,
} from './trees.ts';

let root: string;
let work: { workDir: string };
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'twinspect-published-'));
  work = { workDir: join(root, 'work') };
});
afterEach(() => rm(root, { recursive: true, force: true }));

const brief = ({ pictures }: PublishedSet): string[] =>
  pictures.map(({ className, split, gtLabel, defectType, path, maskPath }) =>
    [className, split, defectType ?? gtLabel, relative(root, path).replaceAll('\\', '/')]
      .concat(maskPath === undefined ? [] : ['mask'])
      .join(' '),
  );

describe('MVTec AD', () => {
  test('is found below a wrapping folder and read by class', async () => {
    await mvtecTree(join(root, 'mvtec_anomaly_detection'), ['bottle', 'wood'], 2);
    const found = await findRoot(root, isMvtecRoot(mvtecClasses));
    expect(found).toBe(join(root, 'mvtec_anomaly_detection'));
    const set = await readMvtec(found!, 'MVTec AD', mvtecClasses, work);
    expect(set.classes).toEqual(['wood', 'bottle']);
    expect(set.warnings).toEqual([expect.stringContaining('13 of 15 classes are not there')]);
    expect(brief(set).slice(0, 6)).toEqual([
      'wood train good mvtec_anomaly_detection/wood/train/good/000.png',
      'wood train good mvtec_anomaly_detection/wood/train/good/001.png',
      'wood test crack mvtec_anomaly_detection/wood/test/crack/000.png mask',
      'wood test crack mvtec_anomaly_detection/wood/test/crack/001.png mask',
      'wood test good mvtec_anomaly_detection/wood/test/good/000.png',
      'wood test good mvtec_anomaly_detection/wood/test/good/001.png',
    ]);
  });

  test('classes can be chosen; unknown and absent ones are errors', async () => {
    await mvtecTree(root, ['bottle', 'wood'], 1);
    const chosen = await readMvtec(root, 'MVTec AD', mvtecClasses, { ...work, classes: ['bottle'] });
    expect(chosen.classes).toEqual(['bottle']);
    const read = (classes: string[]) => readMvtec(root, 'MVTec AD', mvtecClasses, { ...work, classes });
    await expect(read(['teapot'])).rejects.toMatchObject({ code: 'classUnknown' });
    await expect(read(['zipper'])).rejects.toMatchObject({ code: 'datasetMissing' });
  });

  test('a class without test pictures is named', async () => {
    await mvtecTree(root, ['bottle', 'wood'], 1);
    const read = () => readMvtec(root, 'MVTec AD', mvtecClasses, work);
    await rm(join(root, 'wood', 'test', 'good'), { recursive: true });
    await expect(read()).rejects.toThrow(/wood.test" has no folder "good"/);
    await rm(join(root, 'wood', 'test'), { recursive: true });
    await expect(read()).rejects.toMatchObject({ code: 'datasetMissing' });
  });

  test('missing: the message says where it is published, its licence, the layout expected and found', async () => {
    await putText(root, 'readme.txt', 'x');
    const { message } = await notFound(industrialSources['mvtec-ad'], [root]);
    expect(message).toContain('https://www.mvtec.com/company/research/datasets/mvtec-ad');
    expect(message).toContain('CC BY-NC-SA 4.0');
    expect(message).toContain('<class>/train/good/*.png');
    expect(message).toContain(`${root}: readme.txt`);
    const unnamed = await notFound(industrialSources['mvtec-ad'], []);
    expect(unnamed.message).toMatch(/^MVTec AD is needed, and no data was named/);
    expect(unnamed.message).toContain('CC BY-NC-SA 4.0');
    expect(unnamed.message).not.toContain('Found:');
  });
});

test('MVTec LOCO: validation calibrates, every mask of a picture is kept', async () => {
  await locoTree(root);
  const set = await readMvtec(root, 'MVTec LOCO AD', locoClasses, work);
  expect(set.pictures.map(({ split }) => split)).toEqual([
    ...['train', 'train', 'calibration', 'calibration'],
    ...Array.from({ length: 6 }, () => 'test'),
  ]);
  const defect = set.pictures.find(({ defectType }) => defectType === 'logical_anomalies')!;
  expect(defect.maskPaths!.map((path) => relative(root, path).replaceAll('\\', '/'))).toEqual([
    'pushpins/ground_truth/logical_anomalies/000/000.png',
    'pushpins/ground_truth/logical_anomalies/000/001.png',
  ]);
});

describe('VisA', () => {
  test('by its official split', async () => {
    await visaTree(root);
    expect(await isVisaRoot(root)).toBe(true);
    expect(brief(await readVisa(root, work))).toEqual([
      'candle train good candle/Data/Images/Normal/0000.JPG',
      'candle train good candle/Data/Images/Normal/0001.JPG',
      'candle test good candle/Data/Images/Normal/0002.JPG',
      'candle test good candle/Data/Images/Normal/0003.JPG',
      'candle test anomaly candle/Data/Images/Anomaly/000.JPG mask',
      'candle test anomaly candle/Data/Images/Anomaly/001.JPG mask',
    ]);
  });

  test('by the folders that its own script makes of that split', async () => {
    const folder = join(root, 'VisA_pytorch', '1cls', 'candle');
    for (const name of ['train/good/1.JPG', 'test/good/2.JPG', 'test/bad/000.JPG']) await putPicture(folder, name);
    await putMask(folder, 'ground_truth/bad/000.png', [1, 1, 2, 2], 8, 255);
    const found = await findRoot(root, isVisaRoot);
    expect(brief(await readVisa(found!, work)).map((line) => line.replace(/VisA\S+\//, ''))).toEqual([
      'candle train good 1.JPG',
      'candle test bad 000.JPG mask',
      'candle test good 2.JPG',
    ]);
  });

  test('lists that are damaged, lead outside, or name files that are not there', async () => {
    await visaTree(root);
    const list = (rows: string): Promise<PublishedSet> =>
      putText(root, 'split_csv/1cls.csv', `object,split,label,image,mask\n${rows}\n`).then(() => readVisa(root, work));
    await expect(list('candle,train,normal,../../etc/passwd,')).rejects.toMatchObject({ code: 'datasetInvalid' });
    await expect(list('candle,dev,normal,a.JPG,')).rejects.toThrow('line 2');
    await expect(list('candle,train,anomaly,a.JPG,')).rejects.toThrow('anomaly in the training split');
    await expect(list('candle,train,normal,a.JPG,')).rejects.toThrow(/1 files that are not there:\s+\S+a\.JPG/);
  });
});

describe('Real-IAD', () => {
  test('by its lists', async () => {
    await realIadTree(root);
    expect(await isRealIadRoot(root)).toBe(true);
    expect(brief(await readRealIad(root, work))).toEqual([
      'audiojack train good realiad_1024/audiojack/OK/S0000/audiojack_0.jpg',
      'audiojack train good realiad_1024/audiojack/OK/S0001/audiojack_1.jpg',
      'audiojack test good realiad_1024/audiojack/OK/S0002/audiojack_2.jpg',
      'audiojack test AK realiad_1024/audiojack/NG/S0003/audiojack_3.jpg mask',
    ]);
  });

  test('a damaged list names its file', async () => {
    await realIadTree(root);
    await putText(root, 'realiad_jsons/realiad_jsons/audiojack.json', '{"meta":');
    await expect(readRealIad(root, work)).rejects.toThrow('audiojack.json');
  });
});

describe('CIFAR', () => {
  const names = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch'];

  test('10, binary: pixels and labels come out as they went in; the files are written once', async () => {
    for (const name of names) await putText(root, `cifar-10-batches-bin/${name}.bin`, cifarBinary(12));
    const found = await findRoot(root, isCifarRoot(10));
    const notices: string[] = [];
    const options = { ...work, onNotice: (text: string) => notices.push(text) };
    const set = await readCifarSet(found!, 10, options);
    expect(set.pictures).toHaveLength(72);
    const train = set.pictures.filter(({ split, className }) => split === 'train' && className === 'automobile');
    expect(train).toHaveLength(10);
    const { width, height, data } = await readPicture(train[1]!.path);
    expect([width, height, ...data.slice(0, 6)]).toEqual([32, 32, 10, 20, 41, 10, 20, 41]);
    await readCifarSet(found!, 10, options);
    expect(notices).toHaveLength(1);
  });

  test('10, Python batches in the published archive', async () => {
    const batch = (await import('node:fs')).readFileSync(
      join(import.meta.dirname, '..', 'fixtures', 'datasets', 'cifar10-batch-protocol2.pickle'),
    );
    const files = Object.fromEntries(names.map((name) => [`cifar-10-batches-py/${name}`, batch]));
    await writeFile(join(root, 'cifar-10-python.tar.gz'), gzipSync(tarOf(files)));
    const [archive] = await archivesIn(root, /cifar-?10-/i);
    const found = await findRoot(await unpackOnce(archive!.path, work), isCifarRoot(10));
    const set = await readCifarSet(found!, 10, { ...work, classes: ['cat', 'truck'] });
    expect(set.pictures.map(({ className }) => className).slice(0, 2)).toEqual(['cat', 'truck']);
    expect([...(await readPicture(set.pictures[0]!.path)).data.slice(0, 3)]).toEqual([94, 129, 193]);
  });

  test('100: superclasses by the coarse label, fine classes by the fine one', async () => {
    for (const name of ['train.bin', 'test.bin']) await putText(root, name, cifarBinary(20, 2));
    const coarse = await readCifarSet(root, 100, work);
    expect(coarse.classes).toHaveLength(20);
    expect(coarse.pictures[1]!.className).toBe('fish');
    const fine = await readCifarSet(root, 100, work, 'fine');
    expect(fine.pictures[1]!.className).toBe('fine_02');
  });

  test('a batch cut off, or with labels that do not exist', async () => {
    for (const name of names) await putText(root, `${name}.bin`, cifarBinary(2).subarray(0, 4000));
    await expect(readCifarSet(root, 10, work)).rejects.toThrow(/data_batch_1\.bin" has 4000 bytes/);
    const wrong = cifarBinary(2);
    wrong[0] = 77;
    for (const name of names) await putText(root, `${name}.bin`, wrong);
    await expect(readCifarSet(root, 10, work)).rejects.toThrow('label 77');
  });
});

describe('Fashion-MNIST', () => {
  const images = (count: number): Buffer =>
    idx(
      [count, 28, 28],
      Uint8Array.from({ length: count * 784 }, (_, i) => i % 251),
    );
  const put = async (pack: (bytes: Buffer) => Uint8Array, extension: string): Promise<void> => {
    for (const [name, count] of [
      ['train', 4],
      ['t10k', 2],
    ] as const) {
      await putText(root, `${name}-images-idx3-ubyte${extension}`, pack(images(count)));
      const labels = Uint8Array.from({ length: count }, (_, i) => i);
      await putText(root, `${name}-labels-idx1-ubyte${extension}`, pack(idx([count], labels)));
    }
  };

  test.each([
    ['packed', gzipSync, '.gz'],
    ['unpacked', (bytes: Buffer) => bytes, ''],
  ] as const)('%s: grey pictures as they are', async (_what, pack, extension) => {
    await put(pack, extension);
    expect(await isFashionRoot(root)).toBe(true);
    const set = await readFashion(root, work);
    expect(set.pictures.map(({ className, split }) => `${split} ${className}`)).toEqual([
      ...['train T-shirt_top', 'train Trouser', 'train Pullover', 'train Dress'],
      ...['test T-shirt_top', 'test Trouser'],
    ]);
    const { width, data } = await readPicture(set.pictures[1]!.path);
    expect([width, ...data.slice(0, 6)]).toEqual([28, 31, 31, 31, 32, 32, 32]);
  });

  test('a file that states another size than it has', async () => {
    await put(gzipSync, '.gz');
    await putText(root, 'train-images-idx3-ubyte.gz', gzipSync(images(4).subarray(0, 1000)));
    await expect(readFashion(root, work)).rejects.toMatchObject({ code: 'batchInvalid' });
    await putText(root, 'train-images-idx3-ubyte.gz', gzipSync(images(4)).subarray(0, 60));
    await expect(readFashion(root, work)).rejects.toMatchObject({ code: 'batchInvalid' });
  });
});

test('View: the folders nested once in themselves, as Kaggle’s archive has them', async () => {
  await classFolders(join(root, 'seg_train', 'seg_train'), join(root, 'seg_test', 'seg_test'), viewClasses);
  expect(await isViewRoot(root)).toBe(true);
  const set = await readView(root, work);
  expect(set.classes).toEqual(viewClasses);
  expect(set.pictures.filter(({ split }) => split === 'test')).toHaveLength(12);
});

describe('archives', () => {
  async function zip(file: string, members: Record<string, string>): Promise<void> {
    const out = new ZipFile();
    for (const [name, text] of Object.entries(members)) out.addBuffer(Buffer.from(text), name);
    out.end();
    await pipeline(out.outputStream, createWriteStream(file));
  }

  test('zip and tar are unpacked once, whole or not at all', async () => {
    await zip(join(root, 'a.zip'), { 'x/1.txt': 'one', 'x/y/2.txt': 'two' });
    const folder = await unpackOnce(join(root, 'a.zip'), work);
    expect(existsSync(join(folder, 'x', 'y', '2.txt'))).toBe(true);
    expect(await unpackOnce(join(root, 'a.zip'), work)).toBe(folder);
    await writeFile(join(root, 'b.tar'), tarOf({ 'x/1.txt': 'one', 'x/2.txt': 'two' }).subarray(0, 1200));
    await expect(unpackOnce(join(root, 'b.tar'), work)).rejects.toMatchObject({ code: 'archiveDamaged' });
    await writeFile(join(root, 'c.tar.gz'), gzipSync(tarOf({ 'x/1.txt': 'one' })).subarray(0, 50));
    await expect(unpackOnce(join(root, 'c.tar.gz'), work)).rejects.toMatchObject({ code: 'archiveDamaged' });
  });

  test.skipIf(spawnSync('xz', ['--version']).status !== 0)(
    'tar.xz, as MVTec publishes, where xz is there',
    async () => {
      const packed = spawnSync('xz', ['-c'], { input: tarOf({ 'x/1.txt': 'one' }) }).stdout;
      await writeFile(join(root, 'a.tar.xz'), packed);
      expect(existsSync(join(await unpackOnce(join(root, 'a.tar.xz'), work), 'x', '1.txt'))).toBe(true);
      await writeFile(join(root, 'b.tar.xz'), packed.subarray(0, 60));
      await expect(unpackOnce(join(root, 'b.tar.xz'), work)).rejects.toMatchObject({ code: 'archiveUnsupported' });
    },
  );

  const tarOfTree = async (folder: string, file: string): Promise<void> => {
    const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const members = names.map(({ parentPath, name }) => join(parentPath, name));
    const bytes = await Promise.all(members.map((path) => readFile(path)));
    const top = dirname(folder);
    await putText(
      dirname(file),
      basename(file),
      tarOf(Object.fromEntries(members.map((path, i) => [relative(top, path).replaceAll('\\', '/'), bytes[i]!]))),
    );
  };

  test('MVTec AD as an archive a class: all of them are one set', async () => {
    await mvtecTree(join(root, 'made'), ['bottle', 'wood', 'zipper'], 1);
    const data = join(root, 'data');
    for (const name of ['bottle', 'wood', 'zipper']) {
      await tarOfTree(join(root, 'made', name), join(data, `${name}.tar`));
    }
    const protocol = findProtocol('mvtec-ad');
    const set = await readProtocolData(protocol, [data], work);
    expect(set.classes).toEqual(['wood', 'bottle', 'zipper']);
    expect(await readProtocolData(protocol, [data], work)).toEqual(set);
    const named = await readProtocolData(protocol, [join(data, 'wood.tar'), join(data, 'zipper.tar')], work);
    expect(named.classes).toEqual(['wood', 'zipper']);
  });

  test('Real-IAD as published: lists, and an archive a class below the folder of their size', async () => {
    const made = join(root, 'made');
    const data = join(root, 'data');
    await realIadTree(made, 'audiojack');
    await realIadTree(made, 'usb');
    for (const name of ['audiojack', 'usb']) {
      await tarOfTree(join(made, 'realiad_1024', name), join(data, 'realiad_1024', `${name}.tar`));
    }
    await tarOfTree(join(made, 'realiad_jsons'), join(data, 'realiad_jsons.tar'));
    const set = await readProtocolData(findProtocol('real-iad'), [data], work);
    expect(set.classes).toEqual(['audiojack', 'usb']);
    expect(set.pictures).toHaveLength(8);
  });

  test('nothing is written outside the folder', async () => {
    await writeFile(join(root, 'evil.tar'), tarOf({ '../../evil.txt': 'x' }));
    await expect(unpackOnce(join(root, 'evil.tar'), work)).rejects.toMatchObject({ code: 'archiveUnsafe' });
    const broken = tarOf({ 'a.txt': 'x' });
    broken[0] = 98;
    await writeFile(join(root, 'sum.tar'), broken);
    await expect(unpackOnce(join(root, 'sum.tar'), work)).rejects.toThrow('checksum');
    await writeFile(join(root, 'big.tar'), tarOf({ 'a.txt': 'x'.repeat(2000) }));
    const limits = { totalBytes: 1000, files: 10 };
    await expect(unpackOnce(join(root, 'big.tar'), { ...work, limits })).rejects.toMatchObject({
      code: 'archiveTooLarge',
    });
  });
});
