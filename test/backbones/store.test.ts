import { createHash } from 'node:crypto';
import * as nodeFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fetchBackbone } from '../../main/backbones/fetch-backbone.ts';
import { importBackbone } from '../../main/backbones/import.ts';
import { findBackbone, readRegistry, type BackboneRegistry } from '../../main/backbones/registry.ts';
import { identifyWeights, withBackboneLock, type Identify } from '../../main/backbones/store-intake.ts';
import {
  checkStored,
  locateBackbone,
  readStored,
  removeStored,
  storedIds,
  storedPath,
  storeFolder,
} from '../../main/backbones/store.ts';
import { modelsDir } from '../../main/system/project-root.ts';
import { UserError } from '../../shared/errors.ts';
import { proxyVariables, sendFile, serve, type TestServer } from './file-server.ts';

const id = 'dinov2-with-registers-small';
const weights = Buffer.from('weights '.repeat(5000));
const sha256 = createHash('sha256').update(weights).digest('hex');

let folder: string;
let store: string;
let registry: BackboneRegistry;
const open: TestServer[] = [];

beforeEach(async () => {
  // What this machine's own way into the network is must not matter.
  for (const name of proxyVariables) vi.stubEnv(name, '');
  folder = await nodeFs.mkdtemp(join(tmpdir(), 'twinspect-store-'));
  store = join(folder, 'store');
  registry = await readRegistry(modelsDir());
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of open.splice(0)) await server.close();
  await nodeFs.rm(folder, { recursive: true, force: true });
});

/** Takes any file for ViT-S with registers. */
const accept: Identify = (file) =>
  Promise.resolve({
    naming: 'original',
    statement: `${file} is ViT-S`,
    size: 'small',
    registers: 4,
    path: file,
    files: [file],
  });

async function carried(name = 'model.safetensors', content: Buffer = weights): Promise<string> {
  const file = join(folder, name);
  await nodeFs.writeFile(file, content);
  return file;
}

async function serving(): Promise<TestServer> {
  const server = await serve(sendFile(weights));
  open.push(server);
  return server;
}

describe('where the store is', () => {
  test('what is asked for, then the environment, then the user’s data folder', () => {
    vi.stubEnv('TWINSPECT_BACKBONES', join(folder, 'env'));
    expect(storeFolder(store)).toBe(store);
    expect(storeFolder()).toBe(join(folder, 'env'));
    vi.stubEnv('TWINSPECT_BACKBONES', '');
    expect(storeFolder()).toMatch(/twinspect.backbones$/);
  });
});

describe('import', () => {
  test('copies the file, says what it is, and locateBackbone finds it', async () => {
    const file = await carried();
    const { record, statement } = await importBackbone(file, { store, registry, identify: accept });
    expect(record).toMatchObject({ id, sha256, bytes: weights.length, naming: 'original', how: 'import' });
    expect(record.checked).toBe('recorded');
    expect(statement).toContain('ViT-S');
    await nodeFs.rm(file);
    const found = await locateBackbone(id, { store });
    expect(found.sha256).toBe(sha256);
    expect((await nodeFs.readFile(found.path)).equals(weights)).toBe(true);
    expect(await storedIds(store)).toEqual([id]);
    expect(await nodeFs.readdir(join(store, id))).toEqual([record.folder, 'backbone.json'].sort());
  });

  test('keeps shards together with their index', async () => {
    const index = await carried('model.safetensors.index.json', Buffer.from('{}'));
    const shards = [await carried('a-1.safetensors'), await carried('a-2.safetensors', Buffer.from('second'))];
    const identify: Identify = async (file, entry) => ({ ...(await accept(file, entry)), files: shards });
    const { record } = await importBackbone(index, { store, registry, id, identify });
    expect(record.main).toBe('model.safetensors.index.json');
    expect(record.files.map(({ name }) => name)).toEqual([
      'model.safetensors.index.json',
      'a-1.safetensors',
      'a-2.safetensors',
    ]);
    await expect(checkStored(store, record)).resolves.toBeUndefined();
  });

  test('of another file replaces the first', async () => {
    await importBackbone(await carried(), { store, registry, identify: accept });
    const other = await carried('other.pth', Buffer.from('other weights'));
    const { record } = await importBackbone(other, { store, registry, identify: accept });
    expect((await locateBackbone(id, { store })).path).toBe(storedPath(store, record));
    expect(await nodeFs.readdir(join(store, id))).toHaveLength(2);
  });

  test('refuses a file that is something else, and one with another checksum', async () => {
    const file = await carried();
    const refuse: Identify = () =>
      Promise.reject(new UserError('backboneMismatch', 'This is ViT-B without registers; the preset expects 4.'));
    await expect(importBackbone(file, { store, registry, id, identify: refuse })).rejects.toThrow('ViT-B');
    const pinned = importBackbone(file, { store, registry, identify: accept, sha256: 'b'.repeat(64) });
    await expect(pinned).rejects.toMatchObject({ code: 'importChecksum' });
    const published = await carried('dinov2_vits14_reg4_pretrain.pth');
    const changed = importBackbone(published, { store, registry, identify: accept });
    await expect(changed).rejects.toThrow(/has the name of the published file but not its content/);
    expect(await readStored(store, id)).toBeNull();
    await expect(identifyWeights(file, findBackbone(registry, 'efficientnet-lite2'))).rejects.toMatchObject({
      code: 'backboneMismatch',
    });
  });

  test('leaves the old backbone as it was when the disk is full', async () => {
    await importBackbone(await carried(), { store, registry, identify: accept });
    const fs = {
      ...nodeFs,
      open: async (...args: Parameters<typeof nodeFs.open>) => {
        const file = await nodeFs.open(...args);
        const write = () => Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
        return Object.assign(file, { write });
      },
    };
    const other = await carried('other.pth', Buffer.from('other weights'));
    const run = importBackbone(other, { store, registry, identify: accept, fs });
    await expect(run).rejects.toMatchObject({ code: 'diskFull' });
    expect((await locateBackbone(id, { store })).sha256).toBe(sha256);
    expect(await nodeFs.readdir(join(store, id))).toHaveLength(2);
  });
});

describe('fetch', () => {
  test('puts the file into the store under its published name', async () => {
    const server = await serving();
    const entry = findBackbone(registry, id);
    const { record } = await fetchBackbone(entry, { store, url: server.url, sha256, identify: accept });
    expect(record).toMatchObject({ main: 'weights.safetensors', how: 'fetch', source: server.url, checked: 'pinned' });
    expect((await locateBackbone(id, { store })).path).toBe(storedPath(store, record));
    expect(await nodeFs.readdir(join(store, id))).toEqual([record.folder, 'backbone.json'].sort());
  });

  test('throws a file away that is no such backbone', async () => {
    const server = await serving();
    const refuse: Identify = (file) =>
      Promise.reject(new UserError('backboneMismatch', `${file} is ViT-B.`, 'Choose another.'));
    const run = fetchBackbone(findBackbone(registry, id), { store, url: server.url, identify: refuse });
    await expect(run).rejects.toMatchObject({
      code: 'backboneMismatch',
      message: `What came from ${server.url} is ViT-B. Choose another.`,
      remedy: 'Choose another.',
    });
    expect(await nodeFs.readdir(join(store, id))).toEqual([]);
  });

  test('refuses what is bundled, and addresses that are none', async () => {
    const bundled = findBackbone(registry, 'efficientnet-lite2');
    await expect(fetchBackbone(bundled, { store })).rejects.toMatchObject({ code: 'backboneBundled' });
    for (const url of ['nonsense', 'file:///etc/passwd']) {
      await expect(fetchBackbone(findBackbone(registry, id), { store, url })).rejects.toMatchObject({
        code: 'urlInvalid',
      });
    }
  });

  test('only one at a time; the lock of a killed process does not count', async () => {
    await withBackboneLock(store, id, async () => {
      await nodeFs.writeFile(join(store, id, 'lock'), '1');
      await expect(withBackboneLock(store, id, () => Promise.resolve())).rejects.toMatchObject({
        code: 'backboneBusy',
      });
    });
    await nodeFs.mkdir(join(store, id), { recursive: true });
    await nodeFs.writeFile(join(store, id, 'lock'), '999999999');
    await expect(withBackboneLock(store, id, () => Promise.resolve(7))).resolves.toBe(7);
  });
});

describe('what is found wrong', () => {
  test('nothing there: the message is the command', async () => {
    const missing = locateBackbone(id, { store });
    await expect(missing).rejects.toMatchObject({ code: 'backboneMissing' });
    await expect(missing).rejects.toThrow(`twinspect backbone fetch ${id}`);
    await expect(missing).rejects.toThrow(`twinspect backbone import FILE --id ${id}`);
    await expect(locateBackbone('no-such', { store })).rejects.toMatchObject({ code: 'backboneUnknown' });
  });

  test('bundled ones are found without a store', async () => {
    const { path } = await locateBackbone('efficientnet-lite2', { store });
    expect(path).toMatch(/efficientnet-lite2\.safetensors$/);
  });

  test('half a file, changed bytes, a removed file', async () => {
    const { record } = await importBackbone(await carried(), { store, registry, identify: accept });
    const file = storedPath(store, record);
    const changed = Buffer.from(weights);
    changed[100]! ^= 1;
    await nodeFs.writeFile(file, changed);
    await expect(locateBackbone(id, { store })).rejects.toMatchObject({ code: 'backboneDamaged' });
    await expect(locateBackbone(id, { store, checkHash: false })).resolves.toMatchObject({ path: file });
    await nodeFs.truncate(file, 100);
    await expect(locateBackbone(id, { store, checkHash: false })).rejects.toThrow('100 bytes instead of 40000');
    await nodeFs.rm(file);
    await expect(locateBackbone(id, { store })).rejects.toMatchObject({ code: 'backboneMissing' });
  });

  test.each([
    ['{', 'not valid JSON'],
    ['{}', 'not as expected'],
    ['FOLDER', 'not as expected'],
  ])('a record %s', async (text, message) => {
    const { record } = await importBackbone(await carried(), { store, registry, identify: accept });
    // A record from elsewhere must not lead out of the store.
    const content = text === 'FOLDER' ? JSON.stringify({ ...record, folder: '../../..' }) : text;
    await nodeFs.writeFile(join(store, id, 'backbone.json'), content);
    await expect(readStored(store, id)).rejects.toThrow(message);
    await expect(readStored(store, '../x')).rejects.toMatchObject({ code: 'backboneUnknown' });
  });

  test('remove takes everything', async () => {
    await importBackbone(await carried(), { store, registry, identify: accept });
    expect(await removeStored(store, id)).toBe(true);
    expect(await removeStored(store, id)).toBe(false);
    expect(await storedIds(store)).toEqual([]);
  });
});
