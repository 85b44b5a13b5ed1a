/** Published data sets as the benchmarks read them, and what their readers share. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import type { PictureRef } from './dataset.ts';
import { kindOf } from './folder.ts';

/** One picture of a published set. In a semantic set `gtLabel` is `good` everywhere: the split of classes decides. */
export interface PublishedPicture extends PictureRef {
  /** All masks of the picture where it has several (MVTec LOCO); their union counts. */
  maskPaths?: readonly string[];
}

export interface PublishedSet {
  /** In the set's own order. */
  classes: string[];
  pictures: PublishedPicture[];
  /** What a person should know, such as classes that are missing. */
  warnings: string[];
}

/** What a reader gets beside the folder. */
export interface ReadPublishedOptions {
  /** Only these classes. */
  classes?: readonly string[];
  /** Folder where archives are unpacked and arrays become picture files; kept for the next run. */
  workDir: string;
  signal?: AbortSignal;
  /** What is being done, when it takes long. */
  onNotice?: (message: string) => void;
}

/** Where a set comes from and how it looks: for the message when it isn't found. */
export interface PublishedSource {
  title: string;
  /** Address of the page it is published on. */
  published: string;
  licence: string;
  /** The layout expected, one line each. */
  layout: readonly string[];
  /** File names of its archives. */
  archives: RegExp;
}

/** How far below the given folder a set may lie. */
const searchDepth = 3;

/**
 * The first folder at or below `dir` that holds a set; archives often add a folder or two.
 * @returns null when there is none
 */
export async function findRoot(dir: string, isRoot: (folder: string) => Promise<boolean>): Promise<string | null> {
  let level = [dir];
  for (let depth = 0; depth <= searchDepth; depth++) {
    const below: string[] = [];
    for (const folder of level) {
      if (await isRoot(folder)) return folder;
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (entry.name.startsWith('.')) continue;
        const path = join(folder, entry.name);
        if (entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(path)))) below.push(path);
      }
    }
    // A folder of thousands of folders is no wrapper around a set.
    level = below.sort().slice(0, 200);
  }
  return null;
}

/** Whether a link leads to a folder; one that leads nowhere doesn't. */
async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/** Whether all these names are in a folder. */
export async function hasAll(folder: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) if ((await kindOf(join(folder, name))) === 'missing') return false;
  return true;
}

/**
 * Which of a set's classes to read: those asked for, else those that are there.
 * @throws UserError `classUnknown` for one that the set doesn't have, `datasetMissing` for one that is asked and absent
 */
export function chooseClasses(
  title: string,
  all: readonly string[],
  present: ReadonlySet<string>,
  asked: readonly string[] | undefined,
): { classes: string[]; warnings: string[] } {
  const unknown = asked?.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new UserError('classUnknown', `${title} has no class "${unknown}".`, `Choose from: ${all.join(', ')}.`);
  }
  const wanted = asked === undefined ? all : all.filter((name) => asked.includes(name));
  const missing = wanted.filter((name) => !present.has(name));
  if (missing.length > 0 && asked !== undefined) {
    throw new UserError('datasetMissing', `${title}: no pictures of ${missing.join(', ')}.`, 'Check --data.');
  }
  const warnings =
    missing.length === 0 ? [] : [`${missing.length} of ${all.length} classes are not there: ${missing.join(', ')}.`];
  return { classes: wanted.filter((name) => present.has(name)), warnings };
}

/** What is said when a set isn't where it should be, or when no folder was named at all. */
export async function notFound(source: PublishedSource, dirs: readonly string[]): Promise<UserError> {
  const { title, published, licence, layout } = source;
  const found: string[] = [];
  for (const dir of dirs) {
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => undefined);
    const names = (entries ?? []).map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
    const more = names.length > 8 ? `, and ${names.length - 8} more` : '';
    const what = names.length === 0 ? '(empty)' : names.slice(0, 8).join(', ') + more;
    found.push(`  ${dir}: ${entries === undefined ? '(no folder)' : what}`);
  }
  return new UserError(
    'datasetMissing',
    `${title} ${dirs.length === 0 ? 'is needed, and no data was named' : 'was not found'}.\nIt is published at ${published}\nLicence: ${licence}\nExpected below --data, unpacked` +
      ` or as the archives published:\n${layout.map((line) => `  ${line}`).join('\n')}\n` +
      (found.length === 0 ? '' : `Found:\n${found.join('\n')}\n`),
    'Download it from there (Twinspect fetches no data sets), then name its folder with --data.',
  );
}
