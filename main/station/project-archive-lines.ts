import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { UserError } from '../../shared/errors.ts';

/** Makes the error that names the archive and says what is wrong with it. */
export type Complain = (code: 'archiveForeign' | 'archiveDamaged' | 'archiveTooLarge', what: string) => UserError;

/** Lines of a text file, each at most some megabytes. */
export async function* linesOf(path: string, longest: number, complain: Complain): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const piece of createReadStream(path)) {
    try {
      rest += decoder.decode(piece as Buffer, { stream: true });
    } catch {
      throw complain('archiveDamaged', `"${basename(path)}" is not UTF-8 text`);
    }
    const found = rest.split('\n');
    rest = found.pop()!;
    if (rest.length > longest)
      throw complain('archiveTooLarge', `"${basename(path)}" has a line of ${rest.length} characters`);
    yield* found;
  }
  if (rest !== '') yield rest;
}
