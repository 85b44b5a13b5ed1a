import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { moveOriginal } from '../../main/processes/inference/output-folder.ts';
import type { Recipe } from '../../shared/station/domain.ts';

test.skipIf(process.platform === 'win32')('judged files leave the folder; of a link the picture does', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'twinspect move '));
  try {
    const inbox = path.join(root, 'inbox');
    await mkdir(path.join(inbox, 'lot 7'), { recursive: true });
    await mkdir(path.join(root, 'kept'));
    await writeFile(path.join(inbox, 'lot 7', 'a.png'), 'A');
    await writeFile(path.join(root, 'kept', 'b.png'), 'B');
    await symlink(path.join('..', 'kept', 'b.png'), path.join(inbox, 'b.png'));
    const source = { kind: 'folder', path: inbox, originals: 'move', subFolder: 'lot', namePattern: '' } as const;
    const recipe = { source } as unknown as Recipe;
    const part = (relative: string) => ({
      file: path.join(inbox, relative),
      path: path.join(inbox, relative),
      found: { relative, size: 1, mtimeMs: 1 },
      serial: null,
      lot: null,
      className: null,
    });
    await moveOriginal(recipe, part('lot 7/a.png'), 'fail', '0123456789abcdef');
    await moveOriginal(recipe, part('b.png'), 'pass', 'fedcba9876543210');
    // Gone already: it was moved before.
    await moveOriginal(recipe, part('b.png'), 'pass', 'fedcba9876543210');
    const judged = path.join(root, 'inbox-judged');
    expect(await readFile(path.join(judged, 'fail', 'lot 7', '0123456789ab-a.png'), 'utf8')).toBe('A');
    const moved = path.join(judged, 'pass', 'fedcba987654-b.png');
    expect(await readFile(moved, 'utf8')).toBe('B');
    expect((await lstat(moved)).isSymbolicLink()).toBe(false);
    expect(await readFile(path.join(root, 'kept', 'b.png'), 'utf8')).toBe('B');
    expect(await readdir(inbox)).toEqual(['lot 7']);
    expect(await readdir(path.join(inbox, 'lot 7'))).toEqual([]);
  } finally {
    await rm(root, { recursive: true });
  }
});
