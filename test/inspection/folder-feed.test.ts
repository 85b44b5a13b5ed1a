import type * as filesystem from 'node:fs/promises';
import { appendFile, mkdir, mkdtemp, open, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { looksComplete } from '../../main/inspection/complete-file.ts';
import { watchFolder, type FeedState } from '../../main/inspection/folder-feed.ts';
import { SeenSet } from '../../main/inspection/seen-set.ts';
import { createCanvas } from '@napi-rs/canvas';
import { greyPng } from '../cli/pictures.ts';

/** A folder that the system lets nobody look into; the tests may run as one whom everything is allowed. */
const locked = vi.hoisted(() => ({ folder: '' }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof filesystem>();
  return {
    ...real,
    opendir: async (...given: Parameters<typeof real.opendir>) => {
      if (locked.folder !== '' && String(given[0]).endsWith(locked.folder))
        throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
      return real.opendir(...given);
    },
  };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect feed '));
});
afterEach(async () => {
  locked.folder = '';
  await rm(folder, { recursive: true, force: true });
});

interface Feed {
  names: string[];
  states: FeedState[];
  end: () => Promise<void>;
}

function watching(emptyPatienceMs = 60_000): Feed {
  const controller = new AbortController();
  const [names, states]: [string[], FeedState[]] = [[], []];
  const run = (async () => {
    const feed = watchFolder({
      folder,
      resultsDir: path.join(folder, 'results'),
      states: new SeenSet(),
      settleMs: 30,
      scanIntervalMs: 40,
      emptyPatienceMs,
      onState: (state) => states.push(state),
      signal: controller.signal,
    });
    for await (const { relative } of feed) names.push(relative);
  })();
  return {
    names,
    states,
    end: async () => {
      controller.abort();
      await run;
    },
  };
}

/** So many looks into the folder from now on: enough for whatever is complete to have come. */
async function looks(feed: Feed, name: string): Promise<void> {
  await writeFile(path.join(folder, name), greyPng(9));
  await vi.waitFor(() => expect(feed.names).toContain(name), { timeout: 20_000, interval: 20 });
}

async function jpeg(): Promise<Buffer> {
  const canvas = createCanvas(80, 60);
  canvas.getContext('2d').fillRect(10, 10, 30, 20);
  return canvas.encode('jpeg', 90);
}

test('a copy that pauses, or has its full size before its content, is waited for', async () => {
  const feed = watching();
  try {
    const png = greyPng(100);
    const half = path.join(folder, 'half.png');
    await writeFile(half, png.subarray(0, png.length - 20));
    const jpg = await jpeg();
    await writeFile(path.join(folder, 'half.jpg'), jpg.subarray(0, jpg.length - 30));
    // As a copy to some shares begins.
    const wide = await open(path.join(folder, 'wide.png'), 'w');
    await wide.truncate(png.length);
    await looks(feed, 'first.png');
    await looks(feed, 'second.png');
    expect(feed.names).toEqual(['first.png', 'second.png']);
    await appendFile(half, png.subarray(png.length - 20));
    await appendFile(path.join(folder, 'half.jpg'), jpg.subarray(jpg.length - 30));
    await wide.write(png, 0, png.length, 0);
    await wide.close();
    // One that was written under another name comes whole.
    await writeFile(path.join(folder, 'upload.tmp'), png);
    await rename(path.join(folder, 'upload.tmp'), path.join(folder, 'named.png'));
    const all = ['first.png', 'half.jpg', 'half.png', 'named.png', 'second.png', 'wide.png'];
    await vi.waitFor(() => expect([...feed.names].sort()).toEqual(all), { timeout: 20_000, interval: 20 });
  } finally {
    await feed.end();
  }
});

test('what stays without its end comes all the same, to be judged as what it is', async () => {
  const feed = watching(150);
  try {
    await writeFile(path.join(folder, 'broken.png'), greyPng(100).subarray(0, 60));
    await vi.waitFor(() => expect(feed.names).toEqual(['broken.png']), { timeout: 20_000, interval: 20 });
  } finally {
    await feed.end();
  }
});

test('a sub-folder that can not be read is said, and keeps none of the others back', async () => {
  for (const name of ['closed', 'open', 'lost+found', '@eaDir']) {
    await mkdir(path.join(folder, name));
    await writeFile(path.join(folder, name, 'a.png'), greyPng(1));
  }
  locked.folder = 'closed';
  const feed = watching();
  try {
    await looks(feed, 'beside.png');
    expect([...feed.names].sort()).toEqual(['beside.png', 'open/a.png']);
    const loud = feed.states.filter(({ type }) => type === 'folderGone');
    expect(loud).toHaveLength(1);
    expect(loud[0]).toMatchObject({ reason: expect.stringContaining('EACCES') as string });
    locked.folder = '';
    await vi.waitFor(() => expect(feed.names).toContain('closed/a.png'), { timeout: 20_000, interval: 20 });
    expect(feed.states.map(({ type }) => type)).toContain('folderBack');
  } finally {
    await feed.end();
  }
});

test.skipIf(process.platform === 'win32')(
  'links: to files they are parts; into nothing or to themselves they are not',
  async () => {
    const elsewhere = await mkdtemp(path.join(tmpdir(), 'twinspect elsewhere '));
    const feed = watching();
    try {
      await writeFile(path.join(elsewhere, 'real.png'), greyPng(5));
      await symlink(path.join(elsewhere, 'real.png'), path.join(folder, 'link.png'));
      await symlink('nowhere.png', path.join(folder, 'dangling.png'));
      await symlink('self.png', path.join(folder, 'self.png'));
      await looks(feed, 'beside.png');
      expect([...feed.names].sort()).toEqual(['beside.png', 'link.png']);
      expect(feed.states.filter(({ type }) => type === 'folderGone')).toEqual([]);
    } finally {
      await feed.end();
      await rm(elsewhere, { recursive: true });
    }
  },
);

test('ends of pictures: told by their content, and of what is no known picture nothing is said', async () => {
  const file = path.join(folder, 'x');
  const complete = async (bytes: Uint8Array): Promise<boolean> => {
    await writeFile(file, bytes);
    return looksComplete({ path: file, size: bytes.length });
  };
  const bmp = Buffer.alloc(100, 7);
  bmp.write('BM');
  bmp.writeUInt32LE(100, 2);
  const tiff = Buffer.alloc(64);
  tiff.write('II*\0', 'latin1');
  tiff.writeUInt32LE(40, 4);
  const unlisted = Buffer.from(tiff);
  tiff.writeUInt16LE(1, 40);
  const webp = Buffer.concat([Buffer.from('RIFF'), Buffer.from([92, 0, 0, 0]), Buffer.alloc(92, 1)]);
  const jpg = await jpeg();
  expect(await complete(bmp)).toBe(true);
  expect(await complete(bmp.subarray(0, 99))).toBe(false);
  expect(await complete(tiff)).toBe(true);
  expect(await complete(unlisted)).toBe(false);
  expect(await complete(tiff.subarray(0, 30))).toBe(false);
  expect(await complete(webp)).toBe(true);
  expect(await complete(webp.subarray(0, 60))).toBe(false);
  expect(await complete(jpg)).toBe(true);
  expect(await complete(Buffer.concat([jpg, Buffer.alloc(500)]))).toBe(true);
  expect(await complete(Buffer.from('no picture at all'))).toBe(true);
  expect(await complete(Buffer.alloc(400))).toBe(false);
  expect(await looksComplete({ path: path.join(folder, 'none'), size: 4 })).toBe(false);
});
