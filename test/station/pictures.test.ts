import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../store/helpers.ts';
import { ann, bob, partPicture, type TestStation, testStation } from './station-context.ts';

/** Writes pictures; the path is made. */
function put(path: string, bytes: Buffer): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

function dataset(folder: string): string {
  for (let i = 0; i < 9; i++) put(join(folder, 'cup', 'train', 'good', `${i}.png`), partPicture({ seed: i }));
  for (let i = 0; i < 2; i++) put(join(folder, 'cup', 'test', 'good', `${i}.png`), partPicture({ seed: 20 + i }));
  for (let i = 0; i < 3; i++) put(join(folder, 'cup', 'test', 'crack', `${i}.png`), partPicture({ seed: 30 + i }));
  for (let i = 0; i < 2; i++) put(join(folder, '杯子 ☕', 'train', 'good', `${i}.png`), partPicture({ seed: 40 + i }));
  put(join(folder, 'cup', 'train', 'good', 'broken.png'), Buffer.from('no picture at all'));
  return folder;
}

async function project(station: TestStation): Promise<string> {
  return (await station.ask('projects.create', { name: 'Cups', note: '' })).id;
}

const everything = { classId: null, use: null, label: 'any', sort: 'newest', offset: 0, limit: 100 } as const;

describe('pictures', () => {
  it('come from a folder in any layout, with what the folder says of them', async () => {
    const station = await testStation();
    const projectId = await project(station);
    const path = dataset(temporaryFolder());
    const look = await station.ask('pictures.lookAtFolder', { path });
    expect(look.classes).toEqual([
      { name: 'cup', normal: 10, good: 2, defects: 3, defectClasses: ['crack'] },
      { name: '杯子 ☕', normal: 2, good: 0, defects: 0, defectClasses: [] },
    ]);
    const summary = await station.ask('pictures.importFolder', { projectId, path, classId: null, withGolden: true });
    expect(summary).toMatchObject({
      added: 16,
      known: 0,
      refused: [{ file: expect.stringContaining('broken.png') as string }],
    });
    expect(summary.refused[0]?.reason).toContain('broken.png');
    const classes = await station.ask('classes.list', { projectId });
    expect(classes).toMatchObject([
      { name: 'cup', normalPictures: 9, goldenPictures: 5 },
      { name: '杯子 ☕', normalPictures: 2, goldenPictures: 0 },
    ]);
    const golden = await station.ask('pictures.list', { ...everything, projectId, use: 'golden' });
    expect(golden.pictures.map(({ gtLabel, defectClass }) => `${gtLabel} ${defectClass}`).sort()).toEqual([
      'fail crack',
      'fail crack',
      'fail crack',
      'pass null',
      'pass null',
    ]);
    const progress = station.events.filter(({ type }) => type === 'importing');
    expect(progress[0]).toMatchObject({ done: 0, total: 17 });
    expect(progress.at(-1)).toMatchObject({ done: 17, total: 17 });
    // Again: nothing twice.
    const again = await station.ask('pictures.importFolder', { projectId, path, classId: null, withGolden: true });
    expect(again).toMatchObject({ added: 0, known: 16 });
  });

  it('come from a bare folder, into a class of their own or a given one', async () => {
    const station = await testStation();
    const projectId = await project(station);
    const folder = join(temporaryFolder(), 'Neue Teile');
    for (let i = 0; i < 3; i++) put(join(folder, `${i}.png`), partPicture({ seed: i }));
    expect((await station.ask('pictures.lookAtFolder', { path: folder })).classes).toMatchObject([
      { name: 'Neue Teile', normal: 3 },
    ]);
    const { id: classId } = await station.ask('classes.create', { projectId, name: 'mug' });
    await station.ask('pictures.importFolder', { projectId, path: folder, classId, withGolden: false });
    expect(await station.ask('classes.list', { projectId })).toMatchObject([{ name: 'mug', normalPictures: 3 }]);
    await expect(station.ask('pictures.lookAtFolder', { path: join(folder, 'none') })).rejects.toThrow(
      /does not exist/,
    );
  });

  it('are content-addressed: the same one is kept once, in however many projects', async () => {
    const station = await testStation();
    const paths = [1, 2].map((n) => put(join(temporaryFolder(), `copy ${n} ñ.png`), partPicture({ seed: 4 })));
    for (const name of ['A', 'B']) {
      const { id: projectId } = await station.ask('projects.create', { name, note: '' });
      const { id: classId } = await station.ask('classes.create', { projectId, name: 'cup' });
      const summary = await station.ask('pictures.importFiles', { projectId, classId, use: 'normal', paths });
      expect(summary).toMatchObject({ added: 1, known: 1 });
    }
    const folder = join(station.context.folder, 'pictures');
    expect(readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.png'))).toHaveLength(1);
  });

  it('of ten thousand dropped files are all answered for', { timeout: 300_000 }, async () => {
    const station = await testStation();
    const projectId = await project(station);
    const { id: classId } = await station.ask('classes.create', { projectId, name: 'cup' });
    const folder = temporaryFolder();
    const good = put(join(folder, 'good.png'), partPicture({ size: 32 }));
    const paths = Array.from({ length: 10_000 }, (_, i) => (i === 5000 ? good : join(folder, `gone ${i}.png`)));
    const summary = await station.ask('pictures.importFiles', { projectId, classId, use: 'normal', paths });
    expect(summary.added).toBe(1);
    expect(summary.refused).toHaveLength(200);
    await expect(
      station.ask('pictures.importFiles', { projectId, classId, use: 'normal', paths: [...paths, good] }),
    ).rejects.toThrow();
  });

  it('from the camera say at once whether they are blurred or repeat one', async () => {
    const station = await testStation();
    const projectId = await project(station);
    const { id: classId } = await station.ask('classes.create', { projectId, name: 'cup' });
    const capture = (bytes: Buffer) =>
      station.ask('pictures.capture', {
        projectId,
        classId,
        use: 'normal',
        bytes: new Uint8Array(bytes),
        fileName: 'camera.png',
      });
    for (let seed = 0; seed < 10; seed++)
      expect(await capture(partPicture({ seed }))).toMatchObject({ blurred: false, duplicateOf: null });
    const same = await capture(partPicture({ seed: 3 }));
    expect(same.duplicateOf).toBe(same.picture.sha256);
    const near = await capture(partPicture({ seed: 3, shade: '#898989' }));
    expect(near.duplicateOf).toBe(same.picture.sha256);
    expect(await capture(partPicture({ seed: 50, blurPx: 6 }))).toMatchObject({ blurred: true });
    await expect(capture(Buffer.from('nothing'))).rejects.toThrow(/camera.png/);
  });

  it('are looked over before training: copies, blurred ones, ones unlike the rest', async () => {
    const station = await testStation();
    const projectId = await project(station);
    const folder = temporaryFolder();
    for (let i = 0; i < 30; i++) put(join(folder, 'cup', `${i}.png`), partPicture({ seed: i }));
    const copy = partPicture({ seed: 7, shade: '#878787' });
    const blurred = partPicture({ seed: 60, blurPx: 5 });
    const odd = partPicture({ seed: 61, shade: '#fff', size: 96 });
    put(join(folder, 'cup', 'z copy.png'), copy);
    put(join(folder, 'cup', 'z blurred.png'), blurred);
    put(join(folder, 'cup', 'z odd.png'), odd);
    await station.ask('pictures.importFolder', { projectId, path: folder, classId: null, withGolden: false });
    const { pictures } = await station.ask('pictures.list', { ...everything, projectId });
    const nameOf = (sha256: string | null): string | undefined =>
      pictures.find((picture) => picture.sha256 === sha256)?.fileName;
    const found = await station.ask('pictures.suggestions', { projectId });
    expect(found.map(({ kind, sha256, otherSha256 }) => [kind, nameOf(sha256), nameOf(otherSha256)])).toEqual([
      ['duplicate', 'z copy.png', '7.png'],
      ['blurred', 'z blurred.png', undefined],
      ['odd', 'z odd.png', undefined],
    ]);
  });

  it('move between uses and classes, and leave', async () => {
    const station = await testStation();
    const projectId = await project(station);
    await station.ask('pictures.importFolder', {
      projectId,
      path: dataset(temporaryFolder()),
      classId: null,
      withGolden: false,
    });
    const { pictures } = await station.ask('pictures.list', { ...everything, projectId, use: 'normal' });
    const sha256s = pictures.slice(0, 3).map(({ sha256 }) => sha256);
    await station.ask('pictures.setUse', { projectId, sha256s, use: 'golden', classId: null });
    expect((await station.ask('pictures.list', { ...everything, projectId, use: 'golden' })).total).toBe(3);
    expect(await station.ask('pictures.remove', { projectId, sha256s: sha256s.slice(0, 1) })).toEqual({ removed: 1 });
    const [cup] = await station.ask('classes.list', { projectId });
    await station.ask('classes.rename', { classId: cup!.id, name: 'Tasse' });
    await expect(station.ask('classes.create', { projectId, name: 'Tasse' })).rejects.toThrow(/already/);
    await station.ask('classes.remove', { classId: cup!.id });
    expect(await station.ask('classes.list', { projectId })).toHaveLength(1);
    const other = await project(station);
    const foreign = await station.ask('classes.create', { projectId: other, name: 'cup' });
    await expect(
      station.ask('pictures.setUse', { projectId, sha256s, use: 'normal', classId: foreign.id }),
    ).rejects.toThrow(/another project/);
  });
});

describe('labels', () => {
  it('are never lost: each replaces the one before, and undo brings that back', async () => {
    const station = await testStation();
    const projectId = await project(station);
    await station.ask('pictures.importFolder', {
      projectId,
      path: dataset(temporaryFolder()),
      classId: null,
      withGolden: true,
    });
    const { pictures } = await station.ask('pictures.list', { ...everything, projectId, use: 'normal' });
    const { sha256 } = pictures[0]!;
    const label = {
      projectId,
      sha256,
      regions: [{ shape: 'rectangle' as const, x: 0.1, y: 0.2, width: 0.3, height: 0.4 }],
      why: null,
    };
    const first = await station.ask('labels.set', { ...label, gtLabel: 'fail', defectClass: ' dent ' });
    expect(first).toMatchObject({ defectClass: 'dent', replaces: null, by: 'Ann', regions: label.regions });
    const second = await station.ask('labels.set', { ...label, gtLabel: 'unsure', defectClass: null });
    expect(second.replaces).toBe(first.id);
    expect((await station.ask('labels.of', { projectId, sha256 })).map(({ id }) => id)).toEqual([second.id, first.id]);
    expect(await station.ask('labels.undo', { projectId })).toEqual({ sha256 });
    expect((await station.ask('pictures.list', { ...everything, projectId, label: 'fail' })).pictures[0]).toMatchObject(
      { sha256, defectClass: 'dent' },
    );
    // Somebody else sees it otherwise: both stand, as a conflict, until one gives a reason.
    await station.ask('labels.set', { ...label, gtLabel: 'pass', defectClass: 'dent' }, bob);
    expect(await station.ask('labels.conflicts', { projectId })).toMatchObject([
      { picture: { sha256, defectClass: null }, labels: [{ by: 'Bob' }, { by: 'Ann' }] },
    ]);
    expect(await station.ask('labels.progress', { projectId })).toMatchObject({
      labelled: 6,
      total: 16,
      conflicts: 1,
      defectClasses: ['crack'],
    });
    await station.ask('labels.set', { ...label, gtLabel: 'fail', defectClass: 'dent', why: 'Measured: 0.4 mm deep.' });
    expect(await station.ask('labels.conflicts', { projectId })).toEqual([]);
    // A picture that leaves and comes back has its label still.
    await station.ask('pictures.remove', { projectId, sha256s: [sha256] });
    const path = station.store.pictures.path(sha256)!;
    await station.ask('pictures.importFiles', {
      projectId,
      classId: pictures[0]!.classId!,
      use: 'golden',
      paths: [path],
    });
    expect(station.store.pictures.get(projectId, sha256)).toMatchObject({
      gtLabel: 'fail',
      defectClass: 'dent',
      use: 'golden',
    });
    expect(station.store.database.value('SELECT count(*) FROM labels WHERE sha256 = ?', sha256)).toBe(4);
    await expect(
      station.ask('labels.set', { ...label, sha256: 'f'.repeat(64), gtLabel: 'pass', defectClass: null }),
    ).rejects.toThrow(/no such picture/);
    const log = await station.ask('audit.page', { before: null, limit: 50, action: 'label.set' }, ann);
    expect(log.events).toHaveLength(4);
    expect(JSON.parse(log.events[0]!.details)).toMatchObject({ gtLabel: 'fail', why: 'Measured: 0.4 mm deep.' });
  });
});
