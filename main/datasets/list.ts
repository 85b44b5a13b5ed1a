import { readFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import type { PictureRef } from './dataset.ts';
import { kindOf } from './folder.ts';
import type { FoundPictures } from './read.ts';

const emptyAsAbsent = (value: unknown): unknown => (value === '' || value === null ? undefined : value);

/** One row. `label` is `good` or the name of the defect. */
const rowSchema = z.object({
  path: z.string().min(1),
  class: z.string().min(1),
  split: z.preprocess(emptyAsAbsent, z.enum(['train', 'calibration', 'test']).optional()),
  label: z.preprocess(emptyAsAbsent, z.string().default('good')),
  mask: z.preprocess(emptyAsAbsent, z.string().optional()),
  group: z.preprocess(emptyAsAbsent, z.string().optional()),
});

/**
 * Reads a list of pictures: CSV with a header line (comma, semicolon or tab) or a JSON array of objects. Columns
 * `path`, `class`, `split` (`train`, `calibration`, `test`; default `train` for good pictures, `test` for defects),
 * `label` (`good`, the default, or the name of the defect), `mask` and `group` (lot or serial; both optional). Paths are
 * relative to the list.
 *
 * @throws UserError `listInvalid` naming the row, `listFilesMissing` naming the files
 */
export async function readList(path: string): Promise<FoundPictures> {
  const folder = dirname(path);
  const pictures: PictureRef[] = [];
  const classes = new Set<string>();
  const invalid = (what: string, cause?: unknown): UserError =>
    new UserError(
      'listInvalid',
      `"${path}": ${what}.`,
      'A list needs the columns path and class; split (train, calibration, test), label (good or the defect), mask and group (lot, serial) are optional.',
      { cause },
    );
  const rows = await readRows(path, invalid);
  if (rows.length === 0) throw invalid('the list is empty');
  rows.forEach((row, i) => {
    const result = rowSchema.safeParse(row);
    if (!result.success) {
      const issue = result.error.issues[0];
      throw invalid(`entry ${i + 1}: ${issue?.path.join('.') || 'row'}: ${issue?.message ?? 'not valid'}`);
    }
    const { label, mask, group } = result.data;
    const good = label.toLowerCase() === 'good';
    const split = result.data.split ?? (good ? 'train' : 'test');
    if (!good && split !== 'test')
      throw invalid(`entry ${i + 1}: "${result.data.path}" is a defect (${label}), which may only be in split test`);
    const className = result.data.class.normalize('NFC');
    classes.add(className);
    pictures.push({
      path: resolve(folder, result.data.path),
      className,
      split,
      gtLabel: good ? 'good' : 'defect',
      ...(!good && { defectType: label }),
      ...(mask !== undefined && { maskPath: resolve(folder, mask) }),
      ...(group !== undefined && { group }),
    });
  });
  await checkFiles(path, pictures);
  return { classes: [...classes], pictures, warnings: [] };
}

async function readRows(path: string, invalid: (what: string, cause?: unknown) => UserError): Promise<unknown[]> {
  const kind = extname(path).toLowerCase();
  if (kind !== '.csv' && kind !== '.json') throw invalid('neither a folder nor a .csv or .json list');
  const text = (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
  try {
    if (kind === '.json') {
      const value: unknown = JSON.parse(text);
      if (!Array.isArray(value)) throw new Error('not an array');
      return value;
    }
    const header = text.split('\n', 1)[0] ?? '';
    const delimiter = [',', ';', '\t'].find((sign) => header.includes(sign)) ?? ',';
    return parse(text, { columns: true, delimiter, trim: true, skip_empty_lines: true });
  } catch (cause) {
    throw invalid(`not valid ${kind.slice(1).toUpperCase()} (${cause instanceof Error ? cause.message : ''})`, cause);
  }
}

async function checkFiles(list: string, pictures: readonly PictureRef[]): Promise<void> {
  const missing: string[] = [];
  for (const { path, maskPath } of pictures)
    for (const file of maskPath === undefined ? [path] : [path, maskPath])
      if ((await kindOf(file)) !== 'file') missing.push(file);
  if (missing.length === 0) return;
  const named = missing.slice(0, 5).join('\n  ');
  const more = missing.length > 5 ? `\n  and ${missing.length - 5} more` : '';
  throw new UserError(
    'listFilesMissing',
    `"${list}" names ${missing.length} file${missing.length === 1 ? ' that does' : 's that do'} not exist:\n  ${named}${more}\n`,
    'Paths are relative to the list.',
  );
}
