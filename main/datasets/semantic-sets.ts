/** Readers of CIFAR-10, CIFAR-100, Fashion-MNIST, View (Intel), and of plain folders of classes. */
import { join } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { writeArrayPictures } from './array-pictures.ts';
import {
  cifar100Superclasses,
  cifar10Classes,
  cifarForm,
  fashionClasses,
  idxPaths,
  readCifar,
  readIdx,
} from './arrays.ts';
import { kindOf, listIfFolder } from './folder.ts';
import {
  chooseClasses,
  hasAll,
  type PublishedPicture,
  type PublishedSet,
  type PublishedSource,
  type ReadPublishedOptions,
} from './published-set.ts';

export const viewClasses = ['buildings', 'forest', 'glacier', 'mountain', 'sea', 'street'];

export const semanticSources = {
  cifar10: {
    title: 'CIFAR-10',
    published: 'https://www.cs.toronto.edu/~kriz/cifar.html',
    licence: 'none stated; its authors ask for a citation',
    layout: [
      'cifar-10-batches-bin/{data_batch_1..5,test_batch}.bin',
      'or cifar-10-batches-py/{data_batch_1..5,test_batch}',
      'or cifar-10-binary.tar.gz, cifar-10-python.tar.gz',
    ],
    archives: /cifar-?10-/i,
  },
  cifar100: {
    title: 'CIFAR-100',
    published: 'https://www.cs.toronto.edu/~kriz/cifar.html',
    licence: 'none stated; its authors ask for a citation',
    layout: [
      'cifar-100-binary/{train,test}.bin',
      'or cifar-100-python/{train,test,meta}',
      'or cifar-100-binary.tar.gz, cifar-100-python.tar.gz',
    ],
    archives: /cifar-?100-/i,
  },
  'fashion-mnist': {
    title: 'Fashion-MNIST',
    published: 'https://github.com/zalandoresearch/fashion-mnist',
    licence: 'MIT',
    layout: [
      'train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz',
      't10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz',
    ],
    archives: /fashion[-_]?mnist/i,
  },
  view: {
    title: 'View (Intel image classification)',
    published: 'https://www.kaggle.com/datasets/puneet6060/intel-image-classification',
    licence: 'not stated by its publisher (a contest data set of Intel)',
    layout: ['seg_train/seg_train/<class>/*.jpg (or seg_train/<class>)', 'seg_test/seg_test/<class>/*.jpg'],
    archives: /intel|view|^archive\./i,
  },
} satisfies Record<string, PublishedSource>;

export const isCifarRoot =
  (which: 10 | 100) =>
  async (folder: string): Promise<boolean> =>
    (await cifarForm(folder, which)) !== null;

/** CIFAR-10 by class; CIFAR-100 by superclass or by fine class. */
export async function readCifarSet(
  root: string,
  which: 10 | 100,
  options: ReadPublishedOptions,
  labels: 'fine' | 'coarse' = which === 10 ? 'fine' : 'coarse',
): Promise<PublishedSet> {
  const form = await cifarForm(root, which);
  if (form === null) throw new Error(`${root} holds no CIFAR-${which}`);
  const set = await readCifar(root, which, form);
  const coarse = labels === 'coarse' ? set.coarseLabels : undefined;
  const names = coarse === undefined ? set.classNames : cifar100Superclasses;
  const { classes, warnings } = chooseClasses(`CIFAR-${which}`, names, new Set(names), options.classes);
  const pictures = await writeArrayPictures(
    `cifar${which}`,
    set,
    (array, i) => kept(classes, names[(coarse?.[array] ?? set.arrays[array]!.labels)[i]!]!),
    options,
  );
  return { classes, pictures, warnings };
}

export async function isFashionRoot(folder: string): Promise<boolean> {
  return (await idxPaths(folder)) !== null;
}

export async function readFashion(root: string, options: ReadPublishedOptions): Promise<PublishedSet> {
  const set = await readIdx((await idxPaths(root))!, fashionClasses);
  const all = new Set(fashionClasses);
  const { classes, warnings } = chooseClasses('Fashion-MNIST', fashionClasses, all, options.classes);
  const labelOf = (array: number, i: number): string => fashionClasses[set.arrays[array]!.labels[i]!]!;
  const pictures = await writeArrayPictures(
    'fashion-mnist',
    set,
    (array, i) => kept(classes, labelOf(array, i)),
    options,
  );
  return { classes, pictures, warnings };
}

function kept(classes: readonly string[], name: string): string | null {
  return classes.includes(name) ? name : null;
}

export async function isViewRoot(folder: string): Promise<boolean> {
  return (await viewFolder(folder, 'seg_train')) !== null && (await viewFolder(folder, 'seg_test')) !== null;
}

/** The archive nests the folder once in itself. */
async function viewFolder(folder: string, name: string): Promise<string | null> {
  for (const path of [join(folder, name, name), join(folder, name)]) {
    if (await hasAll(path, [viewClasses[0]!])) return path;
  }
  return null;
}

export async function readView(root: string, { classes: asked }: ReadPublishedOptions): Promise<PublishedSet> {
  const folders = {
    train: (await viewFolder(root, 'seg_train'))!,
    test: (await viewFolder(root, 'seg_test'))!,
  };
  return readClassFolders('View', folders, viewClasses, asked);
}

/** `train/<class>/*`, `test/<class>/*`, as our small packs have it. */
export async function isClassFoldersRoot(folder: string): Promise<boolean> {
  return hasAll(folder, [join('train', cifar10Classes[0]!), join('test', cifar10Classes[0]!)]);
}

/** Reads a set whose splits are folders of class folders. @throws UserError `datasetMissing` */
export async function readClassFolders(
  title: string,
  folders: { train: string; test: string },
  all: readonly string[],
  asked: readonly string[] | undefined,
): Promise<PublishedSet> {
  const present = new Set<string>();
  for (const name of all) {
    if ((await kindOf(join(folders.train, name))) === 'folder') present.add(name);
  }
  const { classes, warnings } = chooseClasses(title, all, present, asked);
  const pictures: PublishedPicture[] = [];
  for (const className of classes) {
    for (const split of ['train', 'test'] as const) {
      const folder = await listIfFolder(join(folders[split], className));
      if (folder === null) {
        throw new UserError('datasetMissing', `${title}: no folder "${className}" in ${folders[split]}.`, 'Add it.');
      }
      for (const name of folder.pictures) {
        pictures.push({ path: join(folder.path, name), className, split, gtLabel: 'good' });
      }
    }
  }
  return { classes, pictures, warnings };
}
