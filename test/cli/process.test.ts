import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { projectRoot } from '../../main/system/project-root.ts';
import { bundleWatchWorker, startWatch } from '../inspection/watch-process.ts';
import type { Worker } from '../killing.ts';
import { writePicture } from './pictures.ts';

const starter = join(projectRoot(), 'main', 'cli', 'twinspect.mjs');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinspect-process-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the starter', () => {
  const run = (...args: string[]) => spawnSync(process.execPath, [starter, ...args], { encoding: 'utf8', cwd: folder });

  test('works from any folder; version, usage error, user error', () => {
    expect(run('--version')).toMatchObject({ status: 0, stdout: `${packageJson.version}\n` });
    const usage = run('inspect', '--jsn');
    expect(usage.status).toBe(2);
    expect(usage.stderr).toContain('Did you mean --json?');
    const missing = run('inspect', '--model', 'keins 없음.twin', '.');
    expect(missing).toMatchObject({ status: 1, stdout: '' });
    expect(missing.stderr).toContain('keins 없음.twin');
    expect(missing.stderr).not.toContain('at ');
  });
});

describe('whyInstall', () => {
  const lay = async (locked: object, installed: object | undefined): Promise<string> => {
    const root = join(folder, String(Math.random()));
    await mkdir(join(root, 'node_modules', 'a'), { recursive: true });
    await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...locked } }));
    if (installed !== undefined) {
      await writeFile(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }));
    }
    return root;
  };

  test('says why an install is needed, and nothing when it is not', async () => {
    const setup = (await import('../../main/cli/setup.mjs' as string)) as {
      whyInstall: (root: string) => string | undefined;
    };
    const locked = {
      'node_modules/a': { version: '1.0.0' },
      'node_modules/for-macs': { version: '2.0.0', optional: true },
    };
    expect(setup.whyInstall(await lay(locked, undefined))).toContain('not there yet');
    expect(setup.whyInstall(await lay(locked, { 'node_modules/a': { version: '1.0.0' } }))).toBeUndefined();
    expect(setup.whyInstall(await lay(locked, { 'node_modules/a': { version: '0.9.0' } }))).toContain('a is not');
    const gone = { ...locked, 'node_modules/b': { version: '1.0.0' } };
    const both = { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' } };
    expect(setup.whyInstall(await lay(gone, both))).toContain('b is gone');
  });
});

test('package-lock.json names the binaries of every platform: npm ci refuses a lock that does not', async () => {
  interface Locked {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  }
  const { packages } = JSON.parse(await readFile(join(projectRoot(), 'package-lock.json'), 'utf8')) as Locked;
  const names = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')));
  const missing = Object.values(packages)
    .flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    .filter((name) => !names.has(name));
  expect(missing).toEqual([]);
});

describe('a running watch', () => {
  let worker: Worker;
  beforeAll(async () => {
    worker = await bundleWatchWorker();
  });
  afterAll(() => worker.remove());

  test.skipIf(process.platform === 'win32')('Ctrl-C ends it in order, with its counters', async () => {
    await writePicture(join(folder, 'in', 'a.png'), 20);
    const { child, ended } = startWatch(worker.file, [join(folder, 'in'), '--settle', '20', '--interval', '50']);
    child.stdout?.once('data', () => child.kill('SIGINT'));
    const { code, out, err } = await ended;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ verdict: 'pass', file: join(folder, 'in', 'a.png') });
    expect(err).toContain('All runs: 1 in = 1 pass + 0 fail + 0 review + 0 no decision out.');
  });

  test('a reader that goes away does not stop it', async () => {
    for (let i = 0; i < 40; i++) await writePicture(join(folder, 'in', `${String(i)}.png`), 20, 16, i);
    const child = spawn(
      process.execPath,
      [worker.file, 'watch', join(folder, 'in'), '--model', 'x', '--json', '--settle', '20', '--until-idle', '0.3'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.stdout.once('data', () => child.stdout.destroy());
    const code = await new Promise((done) => child.on('close', done));
    expect(err).toContain('All runs: 40 in = 40 pass');
    expect(code).toBe(0);
  });
});
