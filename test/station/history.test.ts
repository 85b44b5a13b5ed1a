import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import yauzl from 'yauzl';
import { judged, noFilter, temporaryFolder } from '../store/helpers.ts';
import { ann, bob, testStation } from './station-context.ts';

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

describe('history', () => {
  it('answers pages, counts, lots and single parts', async () => {
    const station = await testStation();
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    for (let i = 0; i < 5; i++) judged(station.store, projectId, { serial: `S${i}`, lot: i < 3 ? 'L1' : 'L2' });
    const page = await station.ask('history.page', {
      filter: { ...noFilter(projectId), lot: 'L1' },
      before: null,
      limit: 2,
    });
    expect(page.parts.map(({ serial }) => serial)).toEqual(['S2', 'S1']);
    expect(page.more).toBe(true);
    expect(await station.ask('history.lots', { projectId })).toEqual(['L2', 'L1']);
    expect(await station.ask('history.part', { partId: 1 })).toMatchObject({ serial: 'S0' });
    expect(await station.ask('history.part', { partId: 99 })).toBeNull();
    const { counters, yield: points } = await station.ask('history.statistics', {
      filter: noFilter(projectId),
      bucket: 'day',
    });
    expect(counters).toMatchObject({ presented: 5, pass: 5 });
    expect(points).toHaveLength(1);
  });

  it('is exported whole, and no serial becomes a formula', async () => {
    const station = await testStation();
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    const serials = ['=HYPERLINK("http://x")', '+1', '-2', '@cmd', 'plain, "quoted"\nü 工', 'S6'];
    for (const serial of serials) judged(station.store, projectId, { serial });
    judged(station.store, projectId, {}, { verdict: 'noDecision', predScore: null, reason: 'The picture is damaged.' });
    const folder = join(temporaryFolder(), 'Aus wertung');
    const save = async (format: 'csv' | 'json' | 'xlsx'): Promise<string> => {
      const path = join(folder, `history.${format}`);
      expect(await station.ask('history.export', { filter: noFilter(projectId), format, path })).toEqual({
        parts: 7,
        path,
      });
      return path;
    };
    const csv = readFileSync(await save('csv'), 'utf8');
    expect(csv.charCodeAt(0)).toBe(0xfeff);
    const rows = parse<Record<string, string>>(csv, { columns: true, bom: true });
    expect(
      rows
        .map(({ serial }) => serial)
        .reverse()
        .slice(0, 6),
    ).toEqual(['\'=HYPERLINK("http://x")', "'+1", "'-2", "'@cmd", 'plain, "quoted"\nü 工', 'S6']);
    expect(rows[0]).toMatchObject({ verdict: 'noDecision', predScore: '', reason: 'The picture is damaged.', lot: '' });
    const json = JSON.parse(readFileSync(await save('json'), 'utf8')) as { serial: string }[];
    expect(
      json
        .map(({ serial }) => serial)
        .reverse()
        .slice(0, 6),
    ).toEqual(serials);
    const zip = await yauzl.openPromise(await save('xlsx'));
    const sheets = new Map<string, string>();
    for await (const entry of zip.eachEntry())
      sheets.set(entry.fileName, await textOf(await zip.openReadStreamPromise(entry)));
    const cells = sheets.get('xl/worksheets/sheet1.xml')!;
    expect(cells).not.toContain('<f>');
    // Times are times, not texts: days since 1900, with a format of their own.
    expect(cells).toMatch(/<c r="B2" s="\d+"[^>]*><v>4\d{4}\.\d+<\/v>/);
    expect(sheets.has('xl/worksheets/sheet2.xml')).toBe(true);
    const empty = { ...noFilter(projectId), lot: 'none' };
    const path = join(folder, 'empty.json');
    expect((await station.ask('history.export', { filter: empty, format: 'json', path })).parts).toBe(0);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([]);
    expect((await station.ask('audit.page', { before: null, limit: 9, action: 'data.exported' })).events).toHaveLength(
      4,
    );
    await expect(
      station.ask('history.export', { filter: empty, format: 'csv', path: join(path, 'x.csv') }),
    ).rejects.toMatchObject({ code: 'notWritable' });
  });
});

describe('answers about parts', () => {
  it('are noted with what they overrode, and taken back', async () => {
    const station = await testStation();
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    const partId = judged(station.store, projectId, {}, { verdict: 'review', predScore: 1.5 });
    expect(await station.ask('parts.reviewQueue', { projectId, limit: 10 })).toMatchObject({
      total: 1,
      parts: [{ id: partId }],
    });
    const answer = { partId, verdict: 'pass' as const, defectClass: 'crack', why: ' fine ' };
    expect(await station.ask('parts.answer', answer, bob)).toMatchObject({
      personVerdict: 'pass',
      personName: 'Bob',
      defectClass: null,
    });
    expect(await station.ask('parts.answer', { ...answer, verdict: 'fail' }, bob)).toMatchObject({
      personVerdict: 'fail',
      defectClass: 'crack',
    });
    expect(await station.ask('parts.undo', { projectId }, ann)).toEqual({ part: null });
    expect((await station.ask('parts.undo', { projectId }, bob)).part).toMatchObject({ personVerdict: 'pass' });
    expect((await station.ask('parts.undo', { projectId }, bob)).part).toMatchObject({ personVerdict: null });
    await expect(station.ask('parts.answer', { ...answer, partId: 77 }, bob)).rejects.toThrow(/no part 77/);
    const { events } = await station.ask('audit.page', { before: null, limit: 9, action: 'verdict.overridden' });
    expect(JSON.parse(events[0]!.details)).toMatchObject({ model: 'review', person: 'fail', replaces: 'pass' });
  });
});

describe('recipes', () => {
  it('are saved, changed, tried and removed', async () => {
    const station = await testStation();
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    const recipe = {
      id: null,
      projectId,
      name: 'Line',
      source: {
        kind: 'folder' as const,
        path: '/in',
        originals: 'keep' as const,
        subFolder: 'lot' as const,
        namePattern: '{lot}_{serial}.png',
      },
      region: null,
      ignore: [],
      outputFolder: null,
      cycleTimeMs: null,
      lot: '',
    };
    const saved = await station.ask('recipes.save', recipe);
    const changed = await station.ask('recipes.save', { ...recipe, id: saved.id, name: 'Line 2' });
    expect(await station.ask('recipes.list', { projectId })).toEqual([{ ...changed, nextLot: '' }]);
    const other = await station.ask('projects.create', { name: 'Mugs', note: '' });
    await expect(station.ask('recipes.save', { ...recipe, id: saved.id, projectId: other.id })).rejects.toThrow(
      /another project/,
    );
    const tried = await station.ask('recipes.tryPattern', {
      pattern: '{lot}_{serial}.png',
      names: ['L7_0042.png', 'x.png'],
      path: null,
    });
    expect(tried).toMatchObject([
      { matched: true, lot: 'L7', serial: '0042' },
      { matched: false, lot: null, serial: null },
    ]);
    // Names that really lie there come first; a folder that can't be read has none.
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'sub'));
    for (const name of ['L8_2.png', 'L8_1.jpg', 'notes.txt', 'sub/L9_1.bmp']) writeFileSync(join(folder, name), 'x');
    const asked = { pattern: '{lot}_{serial}', names: ['x.png'] };
    const lying = await station.ask('recipes.tryPattern', { ...asked, path: folder });
    expect(lying.map(({ name, serial }) => [name, serial])).toEqual([
      ['L8_1.jpg', '1'],
      ['L8_2.png', '2'],
      ['L9_1.bmp', '1'],
      ['x.png', null],
    ]);
    expect(await station.ask('recipes.tryPattern', { ...asked, path: join(folder, 'none') })).toHaveLength(1);
    await station.ask('recipes.remove', { recipeId: saved.id });
    expect(await station.ask('recipes.list', { projectId })).toEqual([]);
  });
});
