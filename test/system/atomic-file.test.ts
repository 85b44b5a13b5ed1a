import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../shared/errors.ts';
import {
  checkWritable,
  type FileSystem,
  removeLeftovers,
  withTempDirectory,
  writeFileAtomic,
  writeJsonAtomic,
} from '../../main/system/atomic-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'atomic-'));
});
afterEach(async () => {
  await fs.chmod(folder, 0o755);
  await fs.rm(folder, { recursive: true, force: true });
});

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A file system whose writes fail after the file was made, as a full disk does. */
function failingWrites(code: string): FileSystem {
  return {
    ...fs,
    open: async (...args: Parameters<typeof fs.open>) => {
      const file = await fs.open(...args);
      if (args[1] === 'wx') {
        file.writeFile = async () => {
          await file.write('half');
          throw systemError(code);
        };
      }
      return file;
    },
  };
}

async function failure(work: Promise<unknown>): Promise<UserError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

describe('writeFileAtomic', () => {
  it('writes text, bytes and pieces; makes parents; replaces what was there; leaves nothing else', async () => {
    const path = join(folder, 'new folder', 'größe 측정 🔩.bin');
    await writeFileAtomic(path, 'first');
    expect(await fs.readFile(path, 'utf8')).toBe('first');
    await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
    expect([...(await fs.readFile(path))]).toEqual([1, 2, 3]);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(7);
      yield Uint8Array.of(8, 9);
    }
    await writeFileAtomic(path, pieces());
    expect([...(await fs.readFile(path))]).toEqual([7, 8, 9]);
    expect(await fs.readdir(join(folder, 'new folder'))).toEqual(['größe 측정 🔩.bin']);
  });

  it('takes a name as long as a name can be', async () => {
    const path = join(folder, 'x'.repeat(255));
    await writeFileAtomic(path, 'a');
    expect(await fs.readFile(path, 'utf8')).toBe('a');
  });

  it('writes JSON that ends with a line feed', async () => {
    await writeJsonAtomic(join(folder, 'a.json'), { a: 1 });
    expect(await fs.readFile(join(folder, 'a.json'), 'utf8')).toBe('{\n  "a": 1\n}\n');
  });

  it.each([
    ['ENOSPC', 'diskFull', /no space left/],
    ['EDQUOT', 'diskFull', /no space left/],
    ['EACCES', 'notWritable', /No permission/],
    ['EROFS', 'notWritable', /read-only drive/],
    ['EIO', 'writeFailed', /could not be written \(EIO\)/],
  ])('%s: old content kept, no temporary file, a message with path and remedy', async (code, userCode, words) => {
    const path = join(folder, 'model.twin');
    await fs.writeFile(path, 'old');
    const error = await failure(writeFileAtomic(path, 'new', failingWrites(code)));
    expect(error.code).toBe(userCode);
    expect(error.message).toMatch(words);
    expect(error.message).toContain(path);
    expect(error.remedy).toBeDefined();
    expect(await fs.readFile(path, 'utf8')).toBe('old');
    expect(await fs.readdir(folder)).toEqual(['model.twin']);
  });

  it('a failing source or a failing rename changes nothing', async () => {
    const path = join(folder, 'a');
    await fs.writeFile(path, 'old');
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1);
      throw new Error('source broke');
    }
    await expect(writeFileAtomic(path, broken())).rejects.toThrow('source broke');
    const stuck: FileSystem = { ...fs, rename: () => Promise.reject(systemError('EROFS')) };
    expect((await failure(writeFileAtomic(path, 'new', stuck))).code).toBe('notWritable');
    expect(await fs.readFile(path, 'utf8')).toBe('old');
    expect(await fs.readdir(folder)).toEqual(['a']);
  });

  it('a folder at the path, a file in the path', async () => {
    await fs.mkdir(join(folder, 'd'));
    await fs.writeFile(join(folder, 'f'), '');
    expect((await failure(writeFileAtomic(join(folder, 'd'), 'x'))).code).toBe('notWritable');
    expect((await failure(writeFileAtomic(join(folder, 'f', 'x'), 'x'))).code).toBe('notWritable');
    expect((await fs.readdir(folder)).sort()).toEqual(['d', 'f']);
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('a read-only folder', async () => {
    await fs.chmod(folder, 0o555);
    expect((await failure(writeFileAtomic(join(folder, 'a'), 'x'))).code).toBe('notWritable');
    expect((await failure(checkWritable(join(folder, 'a')))).code).toBe('notWritable');
  });

  it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
    'a disk that is really full or read-only',
    async (context) => {
      const mount = join(folder, 'small');
      await fs.mkdir(mount);
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount]).status !== 0) return context.skip();
      try {
        const path = join(mount, 'a');
        await writeFileAtomic(path, 'old');
        expect((await failure(writeFileAtomic(path, new Uint8Array(1 << 20)))).code).toBe('diskFull');
        expect(await fs.readdir(mount)).toEqual(['a']);
        expect(await fs.readFile(path, 'utf8')).toBe('old');
        execFileSync('mount', ['-o', 'remount,ro', mount]);
        const error = await failure(writeFileAtomic(path, 'new'));
        expect(error.message).toMatch(/read-only drive/);
      } finally {
        execFileSync('umount', [mount]);
      }
    },
  );

  it('an exit half-way takes the temporary file along', async () => {
    const module = new URL('../../main/system/atomic-file.ts', import.meta.url);
    const bundle = join(folder, 'bundle.mjs');
    const { build } = await import('esbuild');
    await build({
      stdin: {
        contents: `import { writeFileAtomic } from ${JSON.stringify(module.pathname)};
          async function* slow() { yield Uint8Array.of(1); process.exit(3); }
          await writeFileAtomic(process.argv[2], slow());`,
        resolveDir: folder,
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: bundle,
    });
    expect(spawnSync(process.execPath, [bundle, join(folder, 'out', 'a')]).status).toBe(3);
    expect(await fs.readdir(join(folder, 'out'))).toEqual([]);
  });
});

describe('checkWritable', () => {
  it('leaves no trace and reports what writing would', async () => {
    await fs.writeFile(join(folder, 'a'), 'old');
    await checkWritable(join(folder, 'a'));
    expect(await fs.readFile(join(folder, 'a'), 'utf8')).toBe('old');
    expect((await failure(checkWritable(join(folder, 'b'), failingWrites('ENOSPC')))).code).toBe('diskFull');
    expect(await fs.readdir(folder)).toEqual(['a']);
  });
});

describe('withTempDirectory', () => {
  it('gives a folder, and removes it after success and after failure', async () => {
    const seen: string[] = [];
    const result = await withTempDirectory(async (path) => {
      seen.push(path);
      await fs.writeFile(join(path, 'x'), 'x');
      return 42;
    }, folder);
    await expect(
      withTempDirectory(async (path) => {
        seen.push(path);
        throw new Error('stop');
      }, folder),
    ).rejects.toThrow('stop');
    expect(result).toBe(42);
    expect(new Set(seen).size).toBe(2);
    expect(await fs.readdir(folder)).toEqual([]);
  });

  it('says which folder it could not make', async () => {
    await fs.writeFile(join(folder, 'f'), '');
    const error = await failure(withTempDirectory(() => Promise.resolve(), join(folder, 'f')));
    expect(error.message).toContain(join(folder, 'f'));
  });
});

describe('removeLeftovers', () => {
  it('takes old files of dead processes and nothing else', async () => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const names = {
      old: `.tmp-${dead}-0123456789ab`,
      young: `.tmp-${dead}-ba9876543210`,
      alive: `.tmp-${process.pid}-0123456789ab`,
      other: '.tmp-note',
    };
    for (const name of Object.values(names)) {
      await fs.writeFile(join(folder, name), '');
      if (name !== names.young) await fs.utimes(join(folder, name), 1, 1);
    }
    expect(await removeLeftovers(folder)).toBe(1);
    expect((await fs.readdir(folder)).sort()).toEqual([names.young, names.alive, names.other].sort());
    expect(await removeLeftovers(join(folder, 'not there'))).toBe(0);
  });
});
