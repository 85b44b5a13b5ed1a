import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from './fakes.ts';

const id = 'dinov2-with-registers-small';
let folder: string;
let store: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinspect-backbone-cli-'));
  store = ['--store', join(folder, 'store')];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('backbone', () => {
  test('list says what is bundled and what is to be fetched', async () => {
    const run = await runCli(['backbone', 'list', ...store]);
    expect(run.code).toBe(0);
    expect(run.out).toMatch(/efficientnet-lite2 .* bundled/);
    expect(run.out).toMatch(new RegExp(`${id} .* to be fetched`));
    const json = await runCli(['backbone', 'list', '--json', ...store]);
    expect(json.records().find((record) => record['id'] === id)).toMatchObject({ bundled: false, stored: null });
  });

  test('info names source, licence and the command that gets it', async () => {
    const run = await runCli(['backbone', 'info', id, ...store]);
    expect(run.code).toBe(0);
    expect(run.out).toContain('licence      Apache-2.0');
    expect(run.out).toContain(`twinspect backbone fetch ${id}`);
    expect(run.out).toMatch(/https:\/\/\S+safetensors/);
  });

  test('verify without a name checks what is there; with one it says how to get it', async () => {
    const all = await runCli(['backbone', 'verify', ...store]);
    expect(all).toMatchObject({ code: 0 });
    expect(all.out).toContain('efficientnet-lite2: 1 file(s) as registered.');
    const one = await runCli(['backbone', 'verify', id, ...store]);
    expect(one.code).toBe(1);
    expect(one.err).toContain(`twinspect backbone import FILE --id ${id}`);
  });

  test('import of something that is no weight file is an error with its reason', async () => {
    const file = join(folder, 'notes.safetensors');
    await writeFile(file, 'these are no weights');
    const run = await runCli(['backbone', 'import', file, ...store]);
    expect(run.code).toBe(1);
    expect(run.err).toContain('notes.safetensors');
    expect(run.err).not.toContain('defect of Twinspect');
  });

  test('remove says what there was', async () => {
    const run = await runCli(['backbone', 'remove', id, ...store]);
    expect(run.out).toContain(`${id} was not in`);
    expect((await runCli(['backbone', 'remove', 'efficientnet-lite2', ...store])).out).toContain('stays');
  });

  test.each([
    [['fetch'], "missing required argument 'id'"],
    [['fetch', id, '--sha256', 'abc'], '64 hexadecimal digits'],
  ])('a wrong command line: %j', async (argv, message) => {
    const run = await runCli(['backbone', ...argv]);
    expect(run.code).toBe(2);
    expect(run.err).toContain(message);
  });

  test('nothing is fetched from an address that is none', async () => {
    const run = await runCli(['backbone', 'fetch', id, '--url', 'ftp://x/y', ...store]);
    expect(run.code).toBe(1);
    expect(run.err).toContain('no web address');
  });
});
