import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { readFile } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';
import type { Appraisal, StudyAnswer, StudyPart, StudyPlan } from '../../shared/msa/types.ts';

/** A part of a study with its pictures, one for each repeat or one for all. */
export interface StudyPartFile extends StudyPart {
  pictures: string[];
}

const words: Record<string, Appraisal> = {
  good: 'good',
  ok: 'good',
  pass: 'good',
  '1': 'good',
  defect: 'defect',
  bad: 'defect',
  nok: 'defect',
  ng: 'defect',
  fail: 'defect',
  '0': 'defect',
};

/**
 * Parts of a study from CSV: `part`, `reference`, optionally `picture` (several separated by a semicolon).
 * @throws UserError `studyTable` naming the line
 */
export async function readParts(path: string): Promise<StudyPartFile[]> {
  const rows = await readTable(path, ['part', 'reference']);
  return rows.map((row, i) => ({
    part: row['part']!,
    reference: appraisalOf(row['reference']!, path, i),
    pictures: (row['picture'] ?? '')
      .split(';')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  }));
}

/**
 * Answers from CSV: `appraiser`, `part`, `repeat`, `answer` (good/defect, pass/fail, ok/nok, 1/0).
 * @throws UserError `studyTable` naming the line
 */
export async function readAnswers(path: string): Promise<StudyAnswer[]> {
  const rows = await readTable(path, ['appraiser', 'part', 'repeat', 'answer']);
  return rows.map((row, i) => {
    const repeat = Number(row['repeat']);
    if (!Number.isInteger(repeat) || repeat < 1) throw wrong(path, i, `"${row['repeat']!}" is no repeat: 1, 2, 3 are`);
    return {
      appraiser: row['appraiser']!,
      part: row['part']!,
      repeat,
      answer: appraisalOf(row['answer']!, path, i),
    };
  });
}

/** The plan as CSV, in the order of showing, without the reference; the last column is to be filled in. */
export function planTable(plan: StudyPlan, parts: readonly StudyPartFile[]): string {
  const pictures = new Map(parts.map((part) => [part.part, part.pictures]));
  const rows = plan.trials.map(({ appraiser, position, part, repeat }) => {
    const own = pictures.get(part) ?? [];
    return [appraiser, position, part, repeat, own[(repeat - 1) % Math.max(1, own.length)] ?? '', ''];
  });
  return stringify([['appraiser', 'position', 'part', 'repeat', 'picture', 'answer'], ...rows]);
}

/** Answers as CSV, as `readAnswers` reads them, with who gave each and when. */
export function answerTable(answers: readonly (StudyAnswer & { by: string; at: string })[]): string {
  const rows = answers.map(({ appraiser, part, repeat, answer, by, at }) => [appraiser, part, repeat, answer, by, at]);
  return stringify([['appraiser', 'part', 'repeat', 'answer', 'by', 'at'], ...rows], { escape_formulas: true });
}

/** Parts as CSV, as `readParts` reads them. */
export function partTable(parts: readonly (StudyPartFile & { sha256: string; className: string })[]): string {
  const rows = parts.map(({ part, reference, pictures, sha256, className }) => [
    part,
    reference,
    pictures.join(';'),
    sha256,
    className,
  ]);
  return stringify([['part', 'reference', 'picture', 'sha256', 'class'], ...rows], { escape_formulas: true });
}

async function readTable(path: string, columns: readonly string[]): Promise<Record<string, string>[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new UserError('studyTable', `"${path}" can't be read.`, 'Check the path.', { cause });
  }
  let rows: Record<string, string>[];
  try {
    rows = parse(text, {
      columns: (names: string[]) => names.map((name) => name.trim()),
      bom: true,
      skip_empty_lines: true,
      trim: true,
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserError('studyTable', `"${path}" is not a table: ${why}.`, 'Save it as CSV with commas.', { cause });
  }
  rows.forEach((row, i) => {
    for (const column of columns) {
      if (row[column] === undefined) throw wrong(path, i, `there is no column "${column}"`);
      if (row[column] === '') throw wrong(path, i, `"${column}" is empty`);
    }
  });
  if (rows.length === 0)
    throw new UserError('studyTable', `"${path}" holds no rows.`, `Columns: ${columns.join(', ')}.`);
  return rows;
}

function appraisalOf(text: string, path: string, row: number): Appraisal {
  const found = words[text.toLowerCase()];
  if (found === undefined) throw wrong(path, row, `"${text}" is neither good nor defect`);
  return found;
}

function wrong(path: string, row: number, what: string): UserError {
  return new UserError('studyTable', `"${path}", line ${String(row + 2)}: ${what}.`, 'Correct the line.');
}
