import { UserError } from '../errors.ts';

/** What a file's name says of its part. */
export interface NameParts {
  serial: string | null;
  lot: string | null;
  className: string | null;
}

const fields = { '{serial}': 'serial', '{lot}': 'lot', '{class}': 'className' } as const;
type Field = (typeof fields)[keyof typeof fields];

type Piece = { kind: 'text'; text: string } | { kind: 'any' } | { kind: 'field'; field: Field };

/**
 * Turns a pattern such as `{lot}_{serial}.png` into a reader of file names: `{serial}`, `{lot}` and `{class}` stand for
 * at least one character, `*` for any number of them, both for as few as will do; everything else stands for itself,
 * whatever its case. A pattern without an extension fits names with any. An empty pattern fits every name and reads
 * nothing.
 * @returns a function that gives null for a name that doesn't fit
 * @throws UserError `patternRepeats` when a word is there twice
 */
export function compileNamePattern(pattern: string): (name: string) => NameParts | null {
  const trimmed = pattern.trim().normalize('NFC');
  if (trimmed === '') return () => ({ serial: null, lot: null, className: null });
  const pieces = trimmed
    .split(/(\{(?:serial|lot|class)\}|\*)/)
    .filter((piece) => piece !== '')
    .map((piece): Piece => {
      if (piece === '*') return { kind: 'any' };
      const field = Object.hasOwn(fields, piece) ? fields[piece as keyof typeof fields] : undefined;
      return field === undefined ? { kind: 'text', text: piece.toLowerCase() } : { kind: 'field', field };
    });
  const named = pieces.flatMap((piece) => (piece.kind === 'field' ? [piece.field] : []));
  if (new Set(named).size !== named.length) {
    throw new UserError('patternRepeats', `The pattern "${trimmed}" has a word twice.`, 'Use * for the second one.');
  }
  const anyExtension = !/\.[A-Za-z0-9]{1,5}$/.test(trimmed);
  return (name) => matchPieces(pieces, name.normalize('NFC'), anyExtension);
}

/** Tries the shortest readings first; a place that failed once is not tried again, so that no name takes long. */
function matchPieces(pieces: readonly Piece[], name: string, anyExtension: boolean): NameParts | null {
  const found: NameParts = { serial: null, lot: null, className: null };
  const failed = new Set<number>();
  const fits = (index: number, at: number): boolean => {
    const piece = pieces[index];
    if (piece === undefined) return at === name.length || (anyExtension && /^\.[^.]*$/.test(name.slice(at)));
    const key = index * (name.length + 1) + at;
    if (failed.has(key)) return false;
    if (piece.kind === 'text') {
      const end = at + piece.text.length;
      if (name.slice(at, end).toLowerCase() === piece.text && fits(index + 1, end)) return true;
    } else {
      for (let end = at + (piece.kind === 'field' ? 1 : 0); end <= name.length; end++) {
        if (!fits(index + 1, end)) continue;
        if (piece.kind === 'field') found[piece.field] = name.slice(at, end);
        return true;
      }
    }
    failed.add(key);
    return false;
  };
  return fits(0, 0) ? found : null;
}
