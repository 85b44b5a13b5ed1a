/** Readers of MVTec-AD, MVTec LOCO, VisA and Real-IAD in their official layouts. */
import { readFile, readdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import { kindOf, listFolder, listIfFolder } from './folder.ts';
import {
  chooseClasses,
  type PublishedPicture,
  type PublishedSet,
  type PublishedSource,
  type ReadPublishedOptions,
} from './published-set.ts';

export const mvtecClasses = [
  'carpet',
  'grid',
  'leather',
  'tile',
  'wood',
  'bottle',
  'cable',
  'capsule',
  'hazelnut',
  'metal_nut',
  'pill',
  'screw',
  'toothbrush',
  'transistor',
  'zipper',
];
export const locoClasses = ['breakfast_box', 'juice_bottle', 'pushpins', 'screw_bag', 'splicing_connectors'];
export const visaClasses = [
  'candle',
  'capsules',
  'cashew',
  'chewinggum',
  'fryum',
  'macaroni1',
  'macaroni2',
  'pcb1',
  'pcb2',
  'pcb3',
  'pcb4',
  'pipe_fryum',
];
export const realIadClasses = [
  'audiojack',
  'bottle_cap',
  'button_battery',
  'end_cap',
  'eraser',
  'fire_hood',
  'mint',
  'mounts',
  'pcb',
  'phone_battery',
  'plastic_nut',
  'plastic_plug',
  'porcelain_doll',
  'regulator',
  'rolled_strip_base',
  'sim_card_set',
  'switch',
  'tape',
  'terminalblock',
  'toothbrush',
  'toy',
  'toy_brick',
  'transistor1',
  'u_block',
  'usb',
  'usb_adaptor',
  'vcpill',
  'wooden_beads',
  'woodstick',
  'zipper',
];

export const industrialSources = {
  'mvtec-ad': {
    title: 'MVTec AD',
    published: 'https://www.mvtec.com/company/research/datasets/mvtec-ad',
    licence: 'CC BY-NC-SA 4.0',
    layout: [
      '<class>/train/good/*.png',
      '<class>/test/{good,<defect>}/*.png',
      '<class>/ground_truth/<defect>/<stem>_mask.png',
      'or mvtec_anomaly_detection.tar.xz, or its archives of one class each: bottle.tar.xz, ...',
    ],
    archives: new RegExp(`mvtec_anomaly_detection|^(?:${mvtecClasses.join('|')})\\.`, 'i'),
  },
  'mvtec-loco': {
    title: 'MVTec LOCO AD',
    published: 'https://www.mvtec.com/company/research/datasets/mvtec-loco',
    licence: 'CC BY-NC-SA 4.0',
    layout: [
      '<class>/train/good/*.png, <class>/validation/good/*.png',
      '<class>/test/{good,logical_anomalies,structural_anomalies}/*.png',
      '<class>/ground_truth/<kind>/<stem>/*.png',
      'or mvtec_loco_anomaly_detection.tar.xz',
    ],
    archives: /loco/i,
  },
  visa: {
    title: 'VisA',
    published: 'https://github.com/amazon-science/spot-diff',
    licence: 'CC BY 4.0',
    layout: [
      'split_csv/1cls.csv',
      '<class>/Data/Images/{Normal,Anomaly}/*.JPG',
      '<class>/Data/Masks/Anomaly/*.png',
      'or VisA_20220922.tar, or its split as folders: <class>/{train,test,ground_truth}/{good,bad}',
    ],
    archives: /visa/i,
  },
  'real-iad': {
    title: 'Real-IAD',
    published: 'https://realiad4ad.github.io/Real-IAD/',
    licence: 'CC BY-NC-SA 4.0, access on request',
    layout: [
      'realiad_jsons/<class>.json (also realiad_jsons/realiad_jsons/<class>.json)',
      'realiad_1024/<class>/{OK,NG}/... (or realiad_512, realiad_256, realiad_raw)',
      'or realiad_jsons.zip beside realiad_1024/<class>.zip',
    ],
    archives: /real[-_]?iad/i,
  },
} satisfies Record<string, PublishedSource>;

/** MVTec-AD and LOCO: whether a folder holds class folders. */
export function isMvtecRoot(classes: readonly string[]): (folder: string) => Promise<boolean> {
  return async (folder) => {
    for (const name of classes) {
      if ((await kindOf(join(folder, name, 'train', 'good'))) === 'folder') return true;
    }
    return false;
  };
}

/** Reads MVTec-AD or, with a mask folder per picture, MVTec LOCO. */
export async function readMvtec(
  root: string,
  title: string,
  all: readonly string[],
  { classes: asked }: ReadPublishedOptions,
): Promise<PublishedSet> {
  const present = new Set<string>();
  for (const name of all) if ((await kindOf(join(root, name, 'train', 'good'))) === 'folder') present.add(name);
  const { classes, warnings } = chooseClasses(title, all, present, asked);
  const pictures: PublishedPicture[] = [];
  for (const className of classes) {
    for (const [folder, split] of [
      ['train', 'train'],
      ['validation', 'calibration'],
    ] as const) {
      const good = await listIfFolder(join(root, className, folder, 'good'));
      for (const name of good?.pictures ?? []) {
        pictures.push({ path: join(good!.path, name), className, split, gtLabel: 'good' });
      }
    }
    const test = await listIfFolder(join(root, className, 'test'));
    if (test === null || !test.folders.includes('good')) {
      throw new UserError(
        'datasetMissing',
        `${title}: "${join(root, className, 'test')}" ${test === null ? 'is not there' : 'has no folder "good"'}.`,
        `Unpack "${className}" again, or leave it out with --classes.`,
      );
    }
    for (const kind of test.folders) {
      const folder = await listFolder(join(test.path, kind));
      for (const name of folder.pictures) {
        const picture = { path: join(folder.path, name), className, split: 'test' } as const;
        if (kind === 'good') pictures.push({ ...picture, gtLabel: 'good' });
        else {
          const masks = await masksOf(join(root, className, 'ground_truth', kind), basename(name, extname(name)));
          pictures.push({ ...picture, gtLabel: 'defect', defectType: kind, ...masks });
        }
      }
    }
  }
  return { classes, pictures, warnings };
}

/** One mask beside the others, or a folder of masks (LOCO). */
async function masksOf(folder: string, stem: string): Promise<Pick<PublishedPicture, 'maskPath' | 'maskPaths'>> {
  for (const name of [`${stem}_mask.png`, `${stem}.png`]) {
    if ((await kindOf(join(folder, name))) === 'file') return { maskPath: join(folder, name) };
  }
  const several = await listIfFolder(join(folder, stem));
  if (several === null || several.pictures.length === 0) return {};
  const maskPaths = several.pictures.map((name) => join(several.path, name));
  return { maskPath: maskPaths[0]!, maskPaths };
}

const visaList = (root: string): string => join(root, 'split_csv', '1cls.csv');
/** As the set's own script lays its one-class split out (`VisA_pytorch/1cls`). */
const isVisaSplit = isMvtecRoot(visaClasses);

export async function isVisaRoot(folder: string): Promise<boolean> {
  return (await kindOf(visaList(folder))) === 'file' || (await isVisaSplit(folder));
}

const visaRow = z.object({
  object: z.string().min(1),
  split: z.enum(['train', 'test']),
  label: z.string().min(1),
  image: z.string().min(1),
  mask: z.string().optional(),
});

/** Reads VisA by its official one-class split. @throws UserError `datasetInvalid`, `datasetMissing` */
export async function readVisa(root: string, options: ReadPublishedOptions): Promise<PublishedSet> {
  const file = visaList(root);
  if ((await kindOf(file)) !== 'file') return readMvtec(root, 'VisA', visaClasses, options);
  let rows: unknown[];
  try {
    rows = parse(await readFile(file, 'utf8'), { columns: true, bom: true, trim: true, skip_empty_lines: true });
  } catch (error) {
    throw invalid(file, error instanceof Error ? error.message : String(error), error);
  }
  const pictures: PublishedPicture[] = [];
  rows.forEach((row, i) => {
    const parsed = visaRow.safeParse(row);
    if (!parsed.success) throw invalid(file, `line ${i + 2}: ${z.prettifyError(parsed.error)}`);
    const { object: className, split, label, image, mask } = parsed.data;
    const good = label.toLowerCase() === 'normal';
    if (!good && split === 'train') throw invalid(file, `line ${i + 2}: an anomaly in the training split`);
    pictures.push({
      path: below(root, image, file),
      className,
      split,
      gtLabel: good ? 'good' : 'defect',
      ...(!good && { defectType: 'anomaly' }),
      ...(!good && mask !== undefined && mask !== '' && { maskPath: below(root, mask, file) }),
    });
  });
  return checked('VisA', visaClasses, pictures, options.classes);
}

export async function isRealIadRoot(folder: string): Promise<boolean> {
  return (await realIadLists(folder)) !== null && (await realIadImages(folder)) !== null;
}

const realIadEntry = z.object({
  category: z.string().optional(),
  anomaly_class: z.string(),
  image_path: z.string().min(1),
  mask_path: z.string().nullish(),
});
const realIadList = z.object({
  meta: z.object({ normal_class: z.string().default('OK'), prefix: z.string().default('') }),
  train: z.array(realIadEntry),
  test: z.array(realIadEntry),
});

/** Reads Real-IAD by its lists, one JSON per class. @throws UserError `datasetInvalid`, `datasetMissing` */
export async function readRealIad(root: string, { classes: asked }: ReadPublishedOptions): Promise<PublishedSet> {
  const lists = (await realIadLists(root))!;
  const images = (await realIadImages(root))!;
  const pictures: PublishedPicture[] = [];
  for (const className of asked ?? realIadClasses) {
    const file = join(lists, `${className}.json`);
    if ((await kindOf(file)) !== 'file') continue;
    let json: unknown;
    try {
      json = JSON.parse(await readFile(file, 'utf8'));
    } catch (error) {
      throw invalid(file, error instanceof Error ? error.message : String(error), error);
    }
    const parsed = realIadList.safeParse(json);
    if (!parsed.success) throw invalid(file, z.prettifyError(parsed.error));
    const { meta, train, test } = parsed.data;
    const folder = await realIadFolder(images, className, meta.prefix);
    for (const [split, entries] of [
      ['train', train],
      ['test', test],
    ] as const) {
      for (const { anomaly_class: anomaly, image_path: image, mask_path: mask } of entries) {
        const good = anomaly === meta.normal_class;
        if (!good && split === 'train') throw invalid(file, `an anomaly in the training list: ${image}`);
        pictures.push({
          path: below(folder, image, file),
          className,
          split,
          gtLabel: good ? 'good' : 'defect',
          ...(!good && { defectType: anomaly }),
          ...(!good && typeof mask === 'string' && mask !== '' && { maskPath: below(folder, mask, file) }),
        });
      }
    }
  }
  return checked('Real-IAD', realIadClasses, pictures, asked);
}

async function realIadLists(folder: string): Promise<string | null> {
  for (const name of ['realiad_jsons/realiad_jsons', 'realiad_jsons']) {
    const path = join(folder, name);
    const names = await readdir(path).catch(() => []);
    if (names.some((one) => one.endsWith('.json'))) return path;
  }
  return null;
}

/** Folder that a list's paths are relative to: the class's, whether or not the list says so itself. */
async function realIadFolder(images: string, className: string, prefix: string): Promise<string> {
  for (const name of [className, prefix]) {
    if (/^[\w-]+\/?$/.test(name) && (await kindOf(join(images, name))) === 'folder') return join(images, name);
  }
  return images;
}

/** The pictures in the size that is there, the sharpest first among those that papers use. */
async function realIadImages(folder: string): Promise<string | null> {
  for (const name of ['realiad_1024', 'realiad_512', 'realiad_256', 'realiad_raw']) {
    if ((await kindOf(join(folder, name))) === 'folder') return join(folder, name);
  }
  return null;
}

/** Keeps the classes asked for and proves that the files named are there. */
async function checked(
  title: string,
  all: readonly string[],
  pictures: readonly PublishedPicture[],
  asked: readonly string[] | undefined,
): Promise<PublishedSet> {
  const present = new Set(pictures.map(({ className }) => className));
  const { classes, warnings } = chooseClasses(title, all, present, asked);
  const kept = pictures.filter(({ className }) => classes.includes(className));
  const missing: string[] = [];
  let count = 0;
  for (const { path, maskPath } of kept) {
    for (const file of maskPath === undefined ? [path] : [path, maskPath]) {
      if ((await kindOf(file)) === 'file') continue;
      count++;
      if (missing.length < 5) missing.push(file);
    }
  }
  if (count > 0) {
    throw new UserError(
      'datasetMissing',
      `${title}: its lists name ${count} files that are not there:\n  ${missing.join('\n  ')}\n`,
      'Download the missing part, or choose classes with --classes.',
    );
  }
  return { classes, pictures: kept, warnings };
}

/** A file a list names, which must lie below the set. */
function below(root: string, name: string, list: string): string {
  const parts = name.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid(list, `it names "${name}", which lies outside`);
  return join(root, ...parts);
}

function invalid(file: string, what: string, cause?: unknown): UserError {
  return new UserError('datasetInvalid', `"${file}" can't be used: ${what}.`, 'Download it again.', { cause });
}
