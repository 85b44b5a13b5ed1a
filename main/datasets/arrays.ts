/** Sets that are published as arrays of pixels: CIFAR (binary and Python batches) and IDX (Fashion-MNIST). */
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../../shared/errors.ts';
import { readPythonBatch, textOf, type BatchTable } from './python-batch.ts';
import { kindOf } from './folder.ts';

/** Pictures of one file. */
export interface PictureArray {
  split: 'train' | 'test';
  width: number;
  height: number;
  channels: 1 | 3;
  /** `planar`: all red, all green, all blue of a picture. */
  order: 'planar' | 'interleaved';
  /** `[count, pixels]`, 8 bit. */
  pixels: Uint8Array;
  labels: Uint8Array;
  /** Where it was read, for messages and for knowing it again. */
  file: string;
}

export interface ArraySet {
  arrays: PictureArray[];
  /** By label. */
  classNames: string[];
  /** By label, where labels are parts of larger classes (CIFAR-100). */
  coarseNames?: string[];
  /** `[count]` per array, with `coarseNames`. */
  coarseLabels?: Uint8Array[];
}

const side = 32;
const pictureBytes = 3 * side * side;

export const cifar10Classes = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
];
export const cifar100Superclasses = [
  'aquatic_mammals',
  'fish',
  'flowers',
  'food_containers',
  'fruit_and_vegetables',
  'household_electrical_devices',
  'household_furniture',
  'insects',
  'large_carnivores',
  'large_man-made_outdoor_things',
  'large_natural_outdoor_scenes',
  'large_omnivores_and_herbivores',
  'medium_mammals',
  'non-insect_invertebrates',
  'people',
  'reptiles',
  'small_mammals',
  'trees',
  'vehicles_1',
  'vehicles_2',
];
export const fashionClasses = [
  'T-shirt_top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle_boot',
];

const cifar10Files = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch'];

/** Which form of CIFAR lies in a folder; null for none. */
export async function cifarForm(folder: string, which: 10 | 100): Promise<'binary' | 'python' | null> {
  const names = which === 10 ? cifar10Files : ['train', 'test'];
  const all = async (extension: string): Promise<boolean> => {
    for (const name of names) if ((await kindOf(join(folder, name + extension))) !== 'file') return false;
    return true;
  };
  if (await all('.bin')) return 'binary';
  // Plain "train" and "test" are too common as names: CIFAR-100 in Python form has its names beside them.
  if ((await all('')) && (which === 10 || (await kindOf(join(folder, 'meta'))) === 'file')) return 'python';
  return null;
}

/**
 * Reads CIFAR-10 or CIFAR-100 in either of its published forms.
 * @throws UserError `batchInvalid` naming the file
 */
export async function readCifar(folder: string, which: 10 | 100, form: 'binary' | 'python'): Promise<ArraySet> {
  const names = which === 10 ? cifar10Files : ['train', 'test'];
  const set: ArraySet = { arrays: [], classNames: cifar10Classes };
  const coarse: Uint8Array[] = [];
  for (const name of names) {
    const file = join(folder, form === 'binary' ? `${name}.bin` : name);
    const bytes = await readFile(file);
    const read = form === 'binary' ? binaryBatch(bytes, which, file) : pythonBatch(bytes, which, file);
    const split = name.startsWith('test') ? 'test' : 'train';
    const { pixels, labels } = read;
    set.arrays.push({ split, width: side, height: side, channels: 3, order: 'planar', pixels, labels, file });
    if (read.coarse !== undefined) coarse.push(read.coarse);
    checkLabels(labels, which, file);
    if (read.coarse !== undefined) checkLabels(read.coarse, 20, file);
  }
  if (which === 100) {
    set.coarseNames = cifar100Superclasses;
    set.coarseLabels = coarse;
    set.classNames = await fineNames(folder, form);
  }
  return set;
}

interface Batch {
  pixels: Uint8Array;
  labels: Uint8Array;
  coarse?: Uint8Array;
}

/** Records of label (CIFAR-100: coarse, fine) and 3072 bytes. */
function binaryBatch(bytes: Buffer, which: 10 | 100, file: string): Batch {
  const labelBytes = which === 10 ? 1 : 2;
  const record = labelBytes + pictureBytes;
  if (bytes.length === 0 || bytes.length % record !== 0) {
    throw new UserError(
      'batchInvalid',
      `"${file}" has ${bytes.length} bytes, which is no multiple of ${record}.`,
      'Download it again.',
    );
  }
  const count = bytes.length / record;
  const batch: Batch = { pixels: new Uint8Array(count * pictureBytes), labels: new Uint8Array(count) };
  const coarse = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    coarse[i] = bytes[i * record]!;
    batch.labels[i] = bytes[i * record + labelBytes - 1]!;
    batch.pixels.set(bytes.subarray(i * record + labelBytes, (i + 1) * record), i * pictureBytes);
  }
  return which === 10 ? batch : { ...batch, coarse };
}

function pythonBatch(bytes: Buffer, which: 10 | 100, file: string): Batch {
  const table = readPythonBatch(bytes, file);
  const data = table.get('data');
  const isArray = typeof data === 'object' && data !== null && 'shape' in data;
  if (!isArray || data.shape.length !== 2 || data.shape[1] !== pictureBytes) {
    throw new UserError('batchInvalid', `"${file}" holds no pictures of 32 x 32.`, 'Download it again.');
  }
  const labels = labelsOf(table, which === 10 ? 'labels' : 'fine_labels', data.shape[0]!, file);
  if (which === 10) return { pixels: data.data, labels };
  return { pixels: data.data, labels, coarse: labelsOf(table, 'coarse_labels', data.shape[0]!, file) };
}

function labelsOf(table: BatchTable, key: string, count: number, file: string): Uint8Array {
  const list = table.get(key);
  if (!Array.isArray(list) || list.length !== count || !list.every((value) => isLabel(value))) {
    throw new UserError('batchInvalid', `"${file}" has no ${key} for its ${count} pictures.`, 'Download it again.');
  }
  return Uint8Array.from(list as number[]);
}

const isLabel = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 256;

async function fineNames(folder: string, form: 'binary' | 'python'): Promise<string[]> {
  const file = join(folder, form === 'binary' ? 'fine_label_names.txt' : 'meta');
  const bytes = await readFile(file).catch(() => undefined);
  const names =
    bytes === undefined
      ? []
      : form === 'binary'
        ? bytes
            .toString('utf8')
            .split(/\r?\n/)
            .filter((line) => line !== '')
        : ((readPythonBatch(bytes, file).get('fine_label_names') as unknown[] | undefined) ?? []).map(textOf);
  if (names.length === 100 && names.every((name) => name !== undefined)) return names as string[];
  return Array.from({ length: 100 }, (_, i) => `fine_${String(i).padStart(2, '0')}`);
}

function checkLabels(labels: Uint8Array, below: number, file: string): void {
  const wrong = labels.find((label) => label >= below);
  if (wrong !== undefined) {
    throw new UserError('batchInvalid', `"${file}" has the label ${wrong}; there are ${below}.`, 'Download it again.');
  }
}

const idxFiles = {
  train: ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'],
  test: ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'],
} as const;

/** The files of an IDX set in a folder, packed or not; null when one is missing. */
export async function idxPaths(folder: string): Promise<{ train: string[]; test: string[] } | null> {
  const found = { train: [] as string[], test: [] as string[] };
  for (const split of ['train', 'test'] as const) {
    for (const name of idxFiles[split]) {
      // Some copies have a dot in place of the last hyphen but one.
      const names = [name, name.replace('-idx', '.idx')].flatMap((one) => [one, `${one}.gz`]);
      for (const candidate of names) {
        const path = join(folder, candidate);
        if ((await stat(path).catch(() => undefined))?.isFile() === true) {
          found[split].push(path);
          break;
        }
      }
    }
  }
  return found.train.length === 2 && found.test.length === 2 ? found : null;
}

/** Reads an IDX set (magic 2051 for pictures, 2049 for labels). @throws UserError `batchInvalid` */
export async function readIdx(paths: { train: string[]; test: string[] }, classNames: string[]): Promise<ArraySet> {
  const set: ArraySet = { arrays: [], classNames };
  for (const split of ['train', 'test'] as const) {
    const [imageFile, labelFile] = paths[split] as [string, string];
    const images = idxOf(await readFile(imageFile), imageFile, 3);
    const labels = idxOf(await readFile(labelFile), labelFile, 1);
    const [count, height, width] = images.shape as [number, number, number];
    if (labels.shape[0] !== count) {
      throw new UserError(
        'batchInvalid',
        `"${imageFile}" has ${count} pictures, "${labelFile}" ${labels.shape[0] ?? 0} labels.`,
        'Download them again.',
      );
    }
    checkLabels(labels.data, classNames.length, labelFile);
    set.arrays.push({
      split,
      width,
      height,
      channels: 1,
      order: 'interleaved',
      pixels: images.data,
      labels: labels.data,
      file: imageFile,
    });
  }
  return set;
}

/** More than Fashion-MNIST needs; a packed file can't ask for more. */
const longestIdx = 2 ** 28;

function idxOf(stored: Buffer, file: string, axes: number): { shape: number[]; data: Uint8Array } {
  const wrong = (what: string, cause?: unknown): UserError =>
    new UserError('batchInvalid', `"${file}" is no IDX file that can be read: ${what}.`, 'Download it again.', {
      cause,
    });
  let bytes = stored;
  if (stored[0] === 0x1f && stored[1] === 0x8b) {
    try {
      bytes = gunzipSync(stored, { maxOutputLength: longestIdx });
    } catch (error) {
      throw wrong('it can’t be unpacked', error);
    }
  }
  const head = 4 + 4 * axes;
  if (bytes.length < head || bytes.readUInt32BE(0) !== 0x800 + axes) throw wrong('its first bytes are others');
  const shape = Array.from({ length: axes }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== bytes.length - head) {
    throw wrong(`${basename(file)} states ${shape.join(' x ')} bytes and has ${bytes.length - head}`);
  }
  return { shape, data: bytes.subarray(head) };
}
