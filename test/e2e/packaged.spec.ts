import { listPackage } from '@electron/asar';
import { expect, test } from '@playwright/test';
import { DatabaseSync } from '@photostructure/sqlite';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { freshFolder, removeFolder, root, until } from './station.ts';

const program = path.join(root, 'dist-installers', 'linux-unpacked', 'twinspect');
/** Nobody: an ordinary user without any right of its own. */
const ordinaryUser = 65534;
const asRoot = process.getuid?.() === 0;

test.skip(process.platform !== 'linux', 'The unpacked program is tried on Linux.');

test.beforeAll(() => {
  test.setTimeout(300_000);
  const built = spawnSync(process.execPath, [path.join(root, 'main', 'app', 'dist.mjs'), '--dir'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(built.status, built.stderr).toBe(0);
});

test('it holds what it runs with, of this platform only, and nothing besides', () => {
  const resources = path.join(path.dirname(program), 'resources');
  const packed = listPackage(path.join(resources, 'app.asar'), { isPack: false }).map((name) =>
    name.replaceAll('\\', '/'),
  );
  const superfluous = /\.(map|ts|mts|cts|vue|tsbuildinfo)$|\/(test|tests|docs|bench)\/|sbom|musl|\.built-from$|README/;
  expect(packed.filter((name) => superfluous.test(name))).toEqual([]);
  const top = new Set(packed.map((name) => name.split('/')[1]));
  expect([...top].sort()).toEqual(['LICENSE', 'NOTICE', 'dist', 'dist-renderer', 'node_modules', 'package.json']);
  const native = packed.filter((name) => /\.(node|so|so\.\d+|dll|dylib)$/.test(name));
  expect(native.length).toBeGreaterThanOrEqual(4);
  for (const name of native) expect(name).toMatch(new RegExp(`linux[-/]${process.arch}`));
  // Native parts lie in real folders; backbone and sample beside the archive.
  for (const name of native) expect(existsSync(path.join(resources, 'app.asar.unpacked', name)), name).toBe(true);
  const models = path.join(resources, 'models');
  expect(existsSync(path.join(models, 'efficientnet-lite2', 'efficientnet-lite2.safetensors'))).toBe(true);
  expect(existsSync(path.join(models, 'sample', 'papers'))).toBe(true);
  expect(existsSync(path.join(models, 'sample', 'select.mjs'))).toBe(false);
});

/** Starts the packed program as an ordinary user, with the sandbox of the operating system on. */
function startAsOrdinaryUser(data: string): ChildProcess {
  const { XAUTHORITY } = process.env;
  const authority = path.join(data, 'xauthority');
  if (XAUTHORITY !== undefined && existsSync(XAUTHORITY)) copyFileSync(XAUTHORITY, authority);
  const home = path.join(data, 'home');
  mkdirSync(home);
  if (asRoot) {
    chmodSync(data, 0o755);
    for (const file of [home, ...(existsSync(authority) ? [authority] : [])])
      chownSync(file, ordinaryUser, ordinaryUser);
  }
  return spawn(program, [`--user-data-dir=${path.join(home, 'data')}`, '--disable-gpu'], {
    stdio: 'ignore',
    env: { ...process.env, HOME: home, XAUTHORITY: authority, TMPDIR: home },
    ...(asRoot && { uid: ordinaryUser, gid: ordinaryUser }),
  });
}

/** `Seccomp:` of the renderers below a process; 2 is a filter, 0 nothing. */
function rendererFilters(parent: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        if (!command.includes(program) || !command.includes('--type=renderer') || Number(pid) === parent) return [];
        return [/^Seccomp:\s*(\d)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '?'];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
}

test('the packed program, as an ordinary user in the sandbox: trains its sample and fails a part', async () => {
  test.setTimeout(300_000);
  const data = freshFolder();
  const child = startAsOrdinaryUser(data);
  try {
    let ended: number | null | undefined;
    child.on('exit', (code) => (ended = code));
    const database = path.join(data, 'home', 'data', 'station', 'station.db');
    const failed = await until(
      'a failed part',
      async () => {
        if (ended !== undefined) throw new Error(`the program ended with ${String(ended)}`);
        if (!existsSync(database)) return 0;
        const store = new DatabaseSync(database, { readOnly: true });
        try {
          return Number(store.prepare("SELECT count(*) AS n FROM parts WHERE verdict = 'fail'").get()?.['n'] ?? 0);
        } catch {
          // Its tables are just being made.
          return 0;
        } finally {
          store.close();
        }
      },
      (count) => count > 0,
      240_000,
    );
    expect(failed).toBeGreaterThan(0);
    const filters = rendererFilters(child.pid!);
    expect(filters.length).toBeGreaterThan(0);
    expect(new Set(filters)).toEqual(new Set(['2']));
  } finally {
    child.kill('SIGTERM');
    await new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve(0)));
    removeFolder(data);
  }
});
