import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Journal } from '../../main/inspection/journal.ts';
import { SeenSet } from '../../main/inspection/seen-set.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinspect-journal-'));
  path = join(folder, 'deep', 'journal.jsonl');
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function entriesOf(file: string): Promise<unknown[]> {
  const entries: unknown[] = [];
  const journal = await Journal.open(file, (entry) => entries.push(entry));
  await journal.close();
  return entries;
}

describe('Journal', () => {
  test('gives back what was appended, across openings', async () => {
    for (let n = 0; n < 3; n++) {
      const journal = await Journal.open(path, () => undefined);
      await journal.append({ n, name: 'Prüfung 검사 🍪' });
      await journal.close();
    }
    expect(await entriesOf(path)).toEqual([0, 1, 2].map((n) => ({ n, name: 'Prüfung 검사 🍪' })));
  });

  test('torn at any byte: whole lines stay, the torn one goes, appending goes on', async () => {
    const first = await Journal.open(path, () => undefined);
    await first.append({ n: 1, text: 'ä' });
    await first.append({ n: 2, text: '한' });
    await first.close();
    const whole = await readFile(path);
    const firstLine = whole.indexOf(0x0a) + 1;
    for (let length = 0; length <= whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      const seen: unknown[] = [];
      const journal = await Journal.open(path, (entry) => seen.push(entry));
      expect(seen).toHaveLength(length === whole.length ? 2 : length >= firstLine ? 1 : 0);
      await journal.append({ n: 3 });
      await journal.close();
      expect((await entriesOf(path)).at(-1)).toEqual({ n: 3 });
    }
  });

  test('zeros that a power cut left at the end are cut off', async () => {
    const journal = await Journal.open(path, () => undefined);
    await journal.append({ n: 1 });
    await journal.close();
    const { size } = await stat(path);
    await writeFile(path, Buffer.concat([await readFile(path), Buffer.alloc(5000), Buffer.from('\n\0\0\n')]));
    expect(await entriesOf(path)).toEqual([{ n: 1 }]);
    expect((await stat(path)).size).toBe(size);
  });

  test('damage in the midst is refused, for parts would be judged twice', async () => {
    await writeFile(join(folder, 'journal.jsonl'), '{"n":1}\n{"n":2\n{"n":3}\n');
    await expect(entriesOf(join(folder, 'journal.jsonl'))).rejects.toMatchObject({ code: 'journalDamaged' });
  });

  test('lines longer than a read block', async () => {
    const journal = await Journal.open(path, () => undefined);
    const long = 'x'.repeat(300_000);
    await journal.append({ long });
    await journal.append({ n: 2 });
    await journal.close();
    expect(await entriesOf(path)).toEqual([{ long }, { n: 2 }]);
  });

  test('a place that can not be written is named', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(Journal.open(join(folder, 'file', 'journal.jsonl'), () => undefined)).rejects.toMatchObject({
      code: 'notWritable',
    });
  });
});

describe('SeenSet', () => {
  test('agrees with Set over many strings, through its growth', () => {
    const seen = new SeenSet();
    const truth = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const text = `folder/${String((i * 7919) % 15_000)}.png`;
      expect(seen.add(text)).toBe(!truth.has(text));
      truth.add(text);
    }
    expect(seen.size).toBe(truth.size);
    expect(seen.has('folder/1.png')).toBe(true);
    expect(seen.has('folder/15000.png')).toBe(false);
  });
});
