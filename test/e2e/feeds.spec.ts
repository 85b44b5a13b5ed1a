import { createCanvas, loadImage } from '@napi-rs/canvas';
import { expect, test } from '@playwright/test';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import {
  ask,
  cancelSampleTraining,
  everything,
  freshFolder,
  keepScreen,
  makeProject,
  papers,
  removeFolder,
  startStation,
  train,
  until,
  type RunningStation,
} from './station.ts';

const paper = readdirSync(papers).sort()[0]!;

/** A film of real sheets for the fake camera: JPEG after JPEG, each sheet shown for a while. */
async function film(file: string): Promise<void> {
  const frames: Buffer[] = [];
  for (const kind of ['good', 'impurity']) {
    const folder = path.join(papers, paper, 'test', kind);
    for (const name of readdirSync(folder).slice(0, 3)) {
      const canvas = createCanvas(640, 480);
      const context = canvas.getContext('2d');
      context.drawImage(await loadImage(path.join(folder, name)), 0, 0, 640, 480);
      const jpeg = await canvas.encode('jpeg', 92);
      for (let i = 0; i < 10; i++) frames.push(jpeg);
    }
  }
  writeFileSync(file, Buffer.concat(frames));
}

/** The same sheet in turn: sharp, out of focus, too dark, with too much light; each for some seconds. */
async function ailingFilm(file: string): Promise<void> {
  const folder = path.join(papers, paper, 'test', 'good');
  const sheet = await loadImage(path.join(folder, readdirSync(folder).sort()[0]!));
  const frames: Buffer[] = [];
  for (const ail of ['none', 'blur', 'dark', 'bright']) {
    const canvas = createCanvas(640, 480);
    const context = canvas.getContext('2d');
    if (ail === 'blur') context.filter = 'blur(10px)';
    context.drawImage(sheet, 0, 0, 640, 480);
    context.filter = 'none';
    context.fillStyle = ail === 'dark' ? 'rgba(0, 0, 0, 0.93)' : 'rgba(255, 255, 255, 0.97)';
    if (ail === 'dark' || ail === 'bright') context.fillRect(0, 0, 640, 480);
    const jpeg = await canvas.encode('jpeg', 92);
    for (let i = 0; i < 120; i++) frames.push(jpeg);
  }
  writeFileSync(file, Buffer.concat(frames));
}

/** A project with one kind of paper and an instant model. */
async function smallProject({ window }: RunningStation, data: string): Promise<string> {
  await cancelSampleTraining(window);
  const { id } = await ask(window, 'projects.create', { name: 'Small', note: '' });
  const source = path.join(data, 'source', paper);
  cpSync(path.join(papers, paper), source, { recursive: true });
  const taken = { projectId: id, path: path.dirname(source), classId: null, withGolden: false };
  await ask(window, 'pictures.importFolder', taken);
  await train(window, id, 'instant');
  return id;
}

const decided = ({
  pass,
  fail,
  review,
  noDecision,
}: Record<'pass' | 'fail' | 'review' | 'noDecision', number>): number => pass + fail + review + noDecision;

test('the judging process is killed again and again while a folder runs: counters in = out', async () => {
  test.setTimeout(420_000);
  const data = freshFolder();
  const station = await startStation(data);
  const { window, app } = station;
  try {
    const projectId = await smallProject(station, data);
    const inbox = path.join(data, 'inbox');
    mkdirSync(inbox);
    const recipe = await ask(window, 'recipes.save', {
      id: null,
      projectId,
      name: 'Inbox',
      source: { kind: 'folder', path: inbox, originals: 'keep', subFolder: 'none', namePattern: '{serial}' },
      region: null,
      ignore: [],
      outputFolder: null,
      cycleTimeMs: null,
      lot: '',
    });
    await ask(window, 'feed.start', { recipeId: recipe.id });
    const sheets = readdirSync(path.join(papers, paper, 'train', 'good'));
    const kills = 20;
    const filesEach = 3;
    const files = kills * filesEach;
    let killed: number | undefined;
    for (let kill = 0; kill < kills; kill++) {
      for (let i = kill * filesEach; i < (kill + 1) * filesEach; i++)
        cpSync(
          path.join(papers, paper, 'train', 'good', sheets[i % sheets.length]!),
          path.join(inbox, `sheet-${i}.png`),
        );
      // Each process judges at least one file before it dies, in the midst of the others.
      await until(
        'a verdict of a new process',
        () => ask(window, 'feed.state', { projectId }),
        ({ counters }) => decided(counters) > kill * filesEach,
      );
      const pid = await until(
        'a new process',
        () =>
          app.evaluate(
            ({ app: running }) => running.getAppMetrics().find(({ name }) => name === 'Twinspect inference')?.pid,
          ),
        (one) => one !== undefined && one !== killed,
      );
      process.kill(pid!, 'SIGKILL');
      killed = pid;
    }
    const state = await until(
      'a verdict for every file',
      () => ask(window, 'feed.state', { projectId }),
      ({ counters }) => decided(counters) === files,
    );
    expect(state.counters.presented).toBe(files);
    // The last one may still be pausing before its start.
    expect((await ask(window, 'system.status', {})).inference.restarts).toBeGreaterThanOrEqual(kills - 1);
    const page = await ask(window, 'history.page', { filter: everything(projectId), before: null, limit: 500 });
    expect(page.parts).toHaveLength(files);
    expect(new Set(page.parts.map(({ serial }) => serial)).size).toBe(files);
  } finally {
    await station.close();
    removeFolder(data);
  }
});

test('hundreds of files dropped on the window at once: each is a part at once, and has its one verdict', async () => {
  test.setTimeout(420_000);
  // A thousand take two minutes, and say no more; bench/drop.ts drops ten thousand on the station.
  const many = 400;
  const data = freshFolder();
  const station = await startStation(data);
  const { window } = station;
  try {
    const projectId = await smallProject(station, data);
    const folder = path.join(data, 'parts 부품');
    mkdirSync(folder);
    const files: string[] = [];
    for (let i = 0; i < many; i++) {
      const canvas = createCanvas(64, 64);
      const context = canvas.getContext('2d');
      context.fillStyle = `hsl(${String(i % 360)} 40% ${String(30 + (i % 40))}%)`;
      context.fillRect(0, 0, 64, 64);
      files.push(path.join(folder, `part ${String(i)}.png`));
      writeFileSync(files[i]!, await canvas.encode('png'));
    }
    await window.getByLabel('Project').first().selectOption({ label: 'Small' });
    await window.getByRole('link', { name: 'Inspect' }).click();
    const stage = (await window.getByRole('main').boundingBox())!;
    const [x, y] = [stage.x + stage.width / 3, stage.y + stage.height / 2];
    // As the system's file manager does it: the window gets files, and asks for their paths itself.
    const mouse = await window.context().newCDPSession(window);
    const drag = (type: 'dragEnter' | 'dragOver' | 'drop'): Promise<unknown> =>
      mouse.send('Input.dispatchDragEvent', { type, x, y, data: { items: [], files, dragOperationsMask: 1 } });
    await drag('dragEnter');
    await drag('dragOver');
    await expect(window.getByText('Drop pictures to judge them now.')).toBeVisible();
    await keepScreen(window, 'inspect-drop');
    await drag('drop');
    await until(
      'a part for every file',
      () => ask(window, 'feed.state', { projectId }),
      ({ counters }) => counters.presented === many,
    );
    await keepScreen(window, 'inspect-dropped');
    const { counters } = await until(
      'a verdict for every file',
      () => ask(window, 'feed.state', { projectId }),
      (state) => decided(state.counters) === many,
      300_000,
    );
    expect(counters).toMatchObject({ presented: many, noDecision: 0 });
    const sources: string[] = [];
    let before: number | null = null;
    do {
      const page: ChannelOutput<'history.page'> = await ask(window, 'history.page', {
        ...{ filter: everything(projectId), before, limit: 500 },
      });
      sources.push(...page.parts.map(({ source }) => source));
      before = page.more ? page.parts.at(-1)!.id : null;
    } while (before !== null);
    // In the order of their names, as a person reads them, whatever order the system hands them over in.
    expect(sources.reverse()).toEqual(files);
    await ask(window, 'feed.stop', { projectId });
  } finally {
    await station.close();
    removeFolder(data);
  }
});

test('a camera that is set up is named, says what ails its picture, and its region is drawn as a polygon', async () => {
  test.setTimeout(240_000);
  const data = freshFolder();
  const clip = path.join(data, 'ailing.mjpeg');
  await ailingFilm(clip);
  const station = await startStation(data, {
    args: ['--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${clip}`],
  });
  const { window } = station;
  try {
    await cancelSampleTraining(window);
    await makeProject(window, 'Small');
    const [small] = (await ask(window, 'projects.list', {})).filter(({ sample }) => !sample);
    const projectId = small!.id;
    const source = path.join(data, 'source', paper);
    cpSync(path.join(papers, paper), source, { recursive: true });
    const taken = { projectId, path: path.dirname(source), classId: null, withGolden: false };
    await ask(window, 'pictures.importFolder', taken);
    await window.getByText('Feeds', { exact: true }).click();
    await window.getByRole('button', { name: 'New feed' }).first().click();
    await window.getByLabel('Name', { exact: true }).fill('Camera 1');
    await window.locator('form').getByText('Camera', { exact: true }).first().click();
    // Named although no camera runs yet.
    await expect(
      window.locator('option', { hasText: 'ailing.mjpeg' }).or(window.locator('option', { hasText: 'fake' })),
    ).not.toHaveCount(0);
    await window.getByRole('button', { name: 'Set the camera up' }).click();
    const words = window.locator('.set-up [role=status]');
    for (const said of [/^Fine/, /is blurred/, /too dark/, /overexposed/])
      await expect(words).toHaveText(said, { timeout: 60_000 });
    await keepScreen(window, 'feed-camera');
    await window.getByRole('button', { name: 'Camera is set up' }).click();
    await window.getByText('Region: polygon').click();
    const layer = window.locator('.stage .layer');
    await layer.scrollIntoViewIfNeeded();
    const box = (await layer.boundingBox())!;
    for (const [x, y] of [
      [0.5, 0.1],
      [0.8, 0.3],
      [0.2, 0.5],
    ] as const)
      await window.mouse.click(box.x + x * box.width, box.y + y * box.height);
    await window.keyboard.press('Enter');
    await expect(window.locator('.unseen path')).toHaveCount(1);
    await keepScreen(window, 'feed-region');
    await window.getByRole('button', { name: 'Save' }).click();
    const saved = await until(
      'the saved feed',
      () => ask(window, 'recipes.list', { projectId }),
      (recipes) => recipes.length === 1,
    );
    expect(saved[0]).toMatchObject({ name: 'Camera 1', source: { kind: 'camera' }, region: { shape: 'polygon' } });
  } finally {
    await station.close();
    removeFolder(data);
  }
});

test('a camera of real frames: the key takes parts, the cable is pulled, it comes back by itself', async () => {
  test.setTimeout(300_000);
  const data = freshFolder();
  const clip = path.join(data, 'line.mjpeg');
  await film(clip);
  const station = await startStation(data, {
    args: ['--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${clip}`],
  });
  const { window } = station;
  try {
    const projectId = await smallProject(station, data);
    const recipe = await ask(window, 'recipes.save', {
      id: null,
      projectId,
      name: 'Camera 1',
      source: {
        kind: 'camera',
        deviceLabel: '',
        widthPx: 640,
        heightPx: 480,
        frameRate: 30,
        trigger: 'key',
        timerMs: 1000,
        locked: {},
      },
      region: null,
      ignore: [],
      outputFolder: null,
      cycleTimeMs: null,
      lot: 'CAM',
    });
    // The window shows the project, then opens the camera by itself when its feed runs.
    await window.getByLabel('Project').first().selectOption({ label: 'Small' });
    await window.getByRole('link', { name: 'Inspect' }).click();
    await window.getByLabel('Where parts come from').selectOption({ label: recipe.name });
    // Kept, so that the cable can be pulled below.
    await window.evaluate(() => {
      const devices = navigator.mediaDevices;
      const open = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (wanted) => {
        const stream = await open(wanted);
        (globalThis as unknown as { lastStream: MediaStream }).lastStream = stream;
        return stream;
      };
    });
    await window.getByRole('button', { name: 'Start', exact: true }).first().click();
    const count = async (): Promise<number> => decided((await ask(window, 'feed.state', { projectId })).counters);
    const takeOne = async (): Promise<void> => {
      const before = await count();
      await until(
        'a part from the camera',
        async () => {
          await window.keyboard.press('t');
          await window.waitForTimeout(900);
          return count();
        },
        (now) => now > before,
        60_000,
      );
    };
    await takeOne();
    await takeOne();
    await keepScreen(window, 'inspect-camera');
    await window.evaluate(() => {
      const [track] = (globalThis as unknown as { lastStream: MediaStream }).lastStream.getVideoTracks();
      track!.stop();
      // A pulled cable tells the page so; a track that the page itself stops does not.
      track!.dispatchEvent(new Event('ended'));
    });
    await expect(window.getByText('The camera was unplugged.').first()).toBeVisible();
    await expect(window.getByText('The camera was unplugged.')).toHaveCount(0, { timeout: 30_000 });
    await takeOne();
    const page = await ask(window, 'history.page', { filter: everything(projectId), before: null, limit: 10 });
    for (const part of page.parts) {
      expect(part.verdict).not.toBe('noDecision');
      expect(part.lot).toBe('CAM');
      expect(part.pictureSha256).not.toBeNull();
    }
    const before = await ask(window, 'feed.state', { projectId });
    expect(before.counters.presented).toBe(decided(before.counters));
  } finally {
    await station.close();
    removeFolder(data);
  }
});
