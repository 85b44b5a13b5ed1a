/** What a file's name says of its part. */
export interface NameParts {
  serial: string | null;
  lot: string | null;
  className: string | null;
}

const fields = { serial: 'serial', lot: 'lot', class: 'className' } as const;

/**
 * Turns a pattern such as `{lot}_{serial}.png` into a reader of file names: `{serial}`, `{lot}` and `{class}` stand for
 * at least one character, `*` for any number of them, everything else for itself, whatever its case. A pattern without
 * an extension fits names with any. An empty pattern fits every name and reads nothing.
 * @returns a function that gives null for a name that doesn't fit
 */
export function compileNamePattern(pattern: string): (name: string) => NameParts | null {
  if (pattern.trim() === '') return () => ({ serial: null, lot: null, className: null });
  const seen = new Set<string>();
  const source = pattern
    .trim()
    .normalize('NFC')
    .split(/(\{(?:serial|lot|class)\}|\*)/)
    .map((piece) => {
      if (piece === '*') return '.*?';
      const field = /^\{(serial|lot|class)\}$/.exec(piece)?.[1];
      if (field === undefined) return piece.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
      // The same word twice must read the same.
      if (seen.has(field)) return `\\k<${field}>`;
      seen.add(field);
      return `(?<${field}>.+?)`;
    })
    .join('');
  const anyExtension = /\.[A-Za-z0-9]{1,5}$|\*$/.test(pattern.trim()) ? '' : '(?:\\.[^.]*)?';
  const expression = new RegExp(`^${source}${anyExtension}$`, 'iu');
  return (name) => {
    const groups = expression.exec(name.normalize('NFC'))?.groups;
    if (groups === undefined && !expression.test(name.normalize('NFC'))) return null;
    const parts: NameParts = { serial: null, lot: null, className: null };
    for (const [word, field] of Object.entries(fields)) parts[field] = groups?.[word] ?? null;
    return parts;
  };
}
