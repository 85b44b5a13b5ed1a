import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LiveFromJudge, LivePart } from '../../shared/ipc/live.ts';
import type { FeedSource, Recipe } from '../../shared/station/domain.ts';
import { losslessPng } from '../../main/processes/inference/evidence.ts';
import { readPicture } from '../../main/pictures/decode.ts';
import { removeBundles } from '../../main/processes/process-entry.ts';
import { systemCaller } from '../../main/store/types.ts';
import { thresholdHandlers } from '../../main/station/thresholds.ts';
import { papers, StationRig } from './station-rig.ts';

/** A test ends after this if it hangs; long, for machines that do much else. */
const patience = 300_000;
let rig: StationRig;
let projectId: string;
let windows: MessagePort[] = [];

beforeAll(async () => {
  rig = await StationRig.open({
    live: () => {
      const { port1, port2 } = new MessageChannel();
      windows.push(port1);
      return port2;
    },
  });
}, patience);
afterAll(async () => {
  for (const port of windows) port.close();
  await rig.remove();
  await removeBundles();
}, patience);

function recipe(source: FeedSource, more: Partial<Recipe> = {}): Recipe {
  return rig.store.recipes.save({
    id: null,
    projectId,
    name: 'test',
    source,
    region: null,
    ignore: [],
    outputFolder: null,
    cycleTimeMs: null,
    lot: 'L1',
    updatedAt: '2020-01-01T00:00:00.000Z',
    ...more,
  });
}

const folderSource = (folder: string): FeedSource => ({
  kind: 'folder',
  path: folder,
  originals: 'keep',
  subFolder: 'none',
  namePattern: '',
});

/** Test pictures of the papers that the sample knows. */
async function pictures(count: number): Promise<string[]> {
  const all: string[] = [];
  for (const part of ['PA_BDP01_TL', 'PA_ZPB01_RL']) {
    for (const kind of ['test/good', 'test/impurity', 'train/good']) {
      const folder = path.join(papers, part, kind);
      all.push(...(await readdir(folder)).sort().map((name) => path.join(folder, name)));
    }
  }
  if (all.length < count) throw new Error(`only ${String(all.length)} pictures`);
  return all.slice(0, count);
}

test(
  'first start: a project, a model in seconds, parts judged, one of them failing with its heat map',
  async () => {
    projectId = await rig.sample();
    await rig.training.ended;
    expect(rig.training.current(projectId)).toMatchObject({ state: 'finished', error: null });
    expect(rig.store.models.list(projectId)).toMatchObject([{ state: 'active', preset: 'instant', version: 1 }]);
    await rig.until('a passed and a failed part', () => {
      const { fail, pass } = rig.feed(projectId).counters;
      return fail > 0 && pass > 0;
    });
    const { id, unknownClass } = rig.store.models.active(projectId)!;
    // Its golden pictures came after it: nothing shows it yet, and the model says how many could.
    expect(unknownClass).toMatchObject({ limit: null, statement: expect.stringMatching(/Good parts needed: 299/) });
    await rig.until('how good parts look', () => existsSync(`${rig.store.models.path(id)}.drift.json`));
    const { counters, engine, fault, state } = await rig.feeds.stop(projectId);
    expect({ fault, engine, state }).toEqual({ fault: null, engine: 'cpu', state: 'stopped' });
    expect(counters.presented).toBe(counters.pass + counters.fail + counters.review + counters.noDecision);
    expect(rig.store.parts.counters(projectId)).toEqual(counters);
    const parts = Array.from({ length: counters.presented }, (_, i) => rig.store.parts.get(i + 1)!);
    const failed = parts.find(({ verdict }) => verdict === 'fail')!;
    expect(failed).toMatchObject({ hasHeatMap: true, lot: 'SAMPLE-1' });
    const { local, semantic, memory } = failed.shares!;
    expect((local ?? 0) + (semantic ?? 0) + (memory ?? 0)).toBeCloseTo(1, 6);
    expect(failed.hottest!.areaPx).toBeGreaterThan(0);
    expect(await rig.store.files.heatMap(failed.id)).not.toBeNull();
    expect(rig.store.pictures.path(failed.pictureSha256!)).not.toBeNull();
    expect(rig.store.pictures.path(failed.similarSha256!)).not.toBeNull();
  },
  patience,
);

test(
  'live results come after their record is durable, at most two unacknowledged; the newest is shown in the end',
  async () => {
    const inbox = path.join(rig.root, 'live');
    await mkdir(inbox);
    windows = [];
    await rig.feeds.handlers['feed.openLive']({ projectId }, systemCaller);
    const [window] = windows;
    const heard: LivePart[] = [];
    let mayAnswer = false;
    const unanswered: LivePart[] = [];
    window!.on('message', (message: LiveFromJudge) => {
      if (message.type !== 'part') return;
      expect(rig.store.parts.get(message.part.id)?.verdict).toBe(message.part.verdict);
      heard.push(message);
      if (mayAnswer) window!.postMessage({ type: 'ack' });
      else unanswered.push(message);
    });
    await rig.feeds.start(recipe(folderSource(inbox)));
    for (const [i, file] of (await pictures(6)).entries()) await cp(file, path.join(inbox, `p${String(i)}.png`));
    await rig.until('six verdicts', () => {
      const { presented, pass, fail, review } = rig.feed(projectId).counters;
      return presented === 6 && pass + fail + review === 6;
    });
    // Results come by another way than verdicts, so they may be a moment later.
    await rig.until('two results', () => unanswered.length === 2);
    mayAnswer = true;
    for (let i = 0; i < 2; i++) window!.postMessage({ type: 'ack' });
    await rig.until('the newest part', () => heard.at(-1)?.counters.presented === 6);
    // At most the one before it came between, when the newest was not drawn yet.
    expect(heard.length).toBeLessThanOrEqual(4);
    const failed = heard.find(({ part }) => part.verdict === 'fail') ?? heard[0]!;
    // What the screen is shown of it is what is kept of it.
    expect(failed.part).toMatchObject({ shares: failed.shares, hottest: failed.hottest });
    expect(failed.heat?.bytes).toHaveLength(failed.heat!.width * failed.heat!.height);
    expect([...failed.jpeg!.subarray(0, 2)]).toEqual([0xff, 0xd8]);
    await rig.feeds.stop(projectId);
  },
  patience,
);

test(
  'the judging process killed twenty times while a feed runs: every file has exactly one verdict',
  async () => {
    const inbox = path.join(rig.root, 'kill');
    const out = path.join(rig.root, 'kill-out');
    await mkdir(inbox);
    const before = rig.store.parts.newestId();
    const restartsBefore = rig.feeds.supervisor.status.restarts;
    await rig.feeds.start(recipe(folderSource(inbox), { outputFolder: out }));
    const files = await pictures(60);
    let put = 0;
    for (let kill = 0; kill < 20; kill++) {
      for (let i = 0; i < 3; i++, put++) await cp(files[put]!, path.join(inbox, `part ${String(put)} 부품.png`));
      const seen = rig.feed(projectId).counters.presented;
      // Hit it while it judges, and now and then while it starts.
      if (kill % 4 !== 3) {
        await rig.until('a part', () => rig.feed(projectId).counters.presented > seen || seen >= put);
      }
      const up = rig.feeds.supervisor.status.restarts;
      rig.feeds.supervisor.crash();
      if (kill % 4 !== 2) await rig.until('a restart', () => rig.feeds.supervisor.status.restarts > up);
    }
    await rig.until('all verdicts', () => {
      const { presented, pass, fail, review, noDecision } = rig.feed(projectId).counters;
      return presented === 60 && pass + fail + review + noDecision === 60;
    });
    const { counters } = await rig.feeds.stop(projectId);
    expect(rig.feeds.supervisor.status.restarts - restartsBefore).toBeGreaterThanOrEqual(15);
    expect(rig.store.parts.undecided(projectId)).toEqual([]);
    expect(rig.store.parts.counters(projectId, before)).toEqual(counters);
    const sources = Array.from({ length: 60 }, (_, i) => rig.store.parts.get(before + 1 + i)!.source);
    expect(new Set(sources).size).toBe(60);
    // Outputs heard of each once, whatever was in the midst of what.
    const csv = await readFile(path.join(out, 'results.csv'), 'utf8');
    const ids = [...csv.matchAll(/,([0-9a-f]{32})\n/g)].map((match) => match[1]!);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBe(60);
  },
  patience,
);

test(
  'new thresholds hold from the next part on, without a part lost or judged by both',
  async () => {
    const inbox = path.join(rig.root, 'swap');
    await mkdir(inbox);
    const before = rig.store.parts.newestId();
    const model = rig.store.models.active(projectId)!;
    await rig.feeds.start(recipe(folderSource(inbox)));
    const files = await pictures(24);
    const handlers = thresholdHandlers(rig.context, { feeds: rig.feeds });
    for (const [i, file] of files.entries()) {
      await cp(file, path.join(inbox, `s${String(i)}.png`));
      if (i === 8) await rig.until('first parts', () => rig.feed(projectId).counters.presented > 0);
      if (i === 12) {
        const thresholds = { review: 1e6, fail: 2e6 };
        const change = { modelId: model.id, thresholds, basis: 'test', reason: 'all pass', secret: null };
        await handlers['thresholds.apply'](change, systemCaller);
      }
    }
    await rig.until(
      'all verdicts',
      () => rig.feed(projectId).counters.presented === 24 && rig.feed(projectId).state === 'waiting',
    );
    await rig.feeds.stop(projectId);
    const parts = Array.from({ length: 24 }, (_, i) => rig.store.parts.get(before + 1 + i)!);
    const byNew = parts.map(({ thresholds }) => thresholds!.fail === 2e6);
    // One change, once: nobody is judged by the old ones after it.
    expect(byNew.lastIndexOf(false)).toBeLessThan(byNew.indexOf(true));
    for (const { verdict, thresholds } of parts) if (thresholds!.fail === 2e6) expect(verdict).toBe('pass');
    const history = await handlers['thresholds.history']({ modelId: model.id }, systemCaller);
    expect(history).toMatchObject([
      { by: 'system', reason: 'all pass' },
      { reason: '', thresholds: model.thresholds },
    ]);
    const evidence = await handlers['thresholds.evidence']({ modelId: model.id }, systemCaller);
    expect(evidence.evidence.filter(({ gtLabel }) => gtLabel === 'fail').length).toBeGreaterThanOrEqual(8);
    await handlers['thresholds.apply'](
      { modelId: model.id, thresholds: model.thresholds, basis: model.basis, reason: 'back', secret: null },
      systemCaller,
    );
  },
  patience,
);

test(
  'a candidate beside the line: the same package never disagrees, a killed process loses nothing of the comparison',
  async () => {
    const inbox = path.join(rig.root, 'beside');
    await mkdir(inbox);
    const active = rig.store.models.active(projectId)!;
    const copy = { projectId, path: rig.store.models.path(active.id) };
    const candidate = await rig.models.handlers['models.import'](copy, systemCaller);
    const { handlers } = rig.feeds.shadow;
    const state = async () => (await handlers['models.shadowState']({ projectId }, systemCaller))!;
    await rig.feeds.start(recipe(folderSource(inbox)));
    await handlers['models.shadowStart']({ modelId: candidate.id, parts: 6, hours: null }, systemCaller);
    const files = await pictures(24);
    let judged = 0;
    for (const [i, file] of files.entries()) {
      await cp(file, path.join(inbox, `b${String(i)}.png`));
      await rig.until('its verdict', () => {
        const { pass, fail, review } = rig.feed(projectId).counters;
        return pass + fail + review === i + 1;
      });
      await rig.until('what the candidate says', () => rig.events.some(({ type }) => type === 'shadow'));
      if (i === 3) rig.feeds.supervisor.crash();
      const now = await state();
      expect(now.judged).toBeGreaterThanOrEqual(judged);
      judged = now.judged;
      if (now.state === 'complete') break;
    }
    await rig.until('the end', () => rig.store.events.page(null, 1, 'model.shadowEnded').length === 1);
    expect(await state()).toMatchObject({ state: 'complete', judged: 6, agreeing: 6, disagreements: [] });
    expect(rig.store.models.active(projectId)!.id).toBe(active.id);
    await rig.feeds.stop(projectId);
    await rig.models.handlers['models.remove']({ modelId: candidate.id }, systemCaller);
  },
  patience,
);

test(
  'camera frames become parts; a crash leaves none without a verdict, and the window is connected again',
  async () => {
    windows = [];
    const camera: FeedSource = {
      kind: 'camera',
      deviceLabel: 'test camera',
      widthPx: 160,
      heightPx: 120,
      frameRate: 30,
      trigger: 'key',
      timerMs: 1000,
      locked: {},
    };
    const before = rig.store.parts.newestId();
    await rig.feeds.start(recipe(camera));
    await rig.feeds.handlers['feed.openLive']({ projectId }, systemCaller);
    const answers: (number | null)[] = [];
    const listen = (window: MessagePort): void => {
      window.on('message', (message: LiveFromJudge) => {
        if (message.type === 'frameTaken') answers.push(message.partId);
        else window.postMessage({ type: 'ack' });
      });
    };
    listen(windows.at(-1)!);
    const frame = (triggered: boolean) => ({
      type: 'frame',
      triggered,
      width: 160,
      height: 120,
      i420: new Uint8Array(160 * 120 * 1.5).fill(120),
      colours: { range: 'limited', matrix: 'bt601' },
      takenAt: Date.now(),
      serial: triggered ? 'SN-1' : null,
    });
    windows.at(-1)!.postMessage(frame(false));
    windows.at(-1)!.postMessage(frame(true));
    await rig.until('two answers', () => answers.length === 2);
    expect(answers).toEqual([null, before + 1]);
    await rig.until('its verdict', () => rig.store.parts.get(before + 1)?.verdict !== null);
    expect(rig.store.parts.get(before + 1)).toMatchObject({ serial: 'SN-1', source: 'test camera #1' });
    await rig.until('the skipped frame', () => rig.feed(projectId).skippedFrames === 1);

    windows.at(-1)!.postMessage(frame(true));
    await rig.until('the answer', () => answers.length === 3);
    rig.feeds.supervisor.crash();
    await rig.until('a new window', () => windows.length === 2 && rig.feeds.supervisor.current !== undefined);
    await rig.until('its verdict', () => (rig.store.parts.get(before + 2)?.verdict ?? null) !== null);
    listen(windows.at(-1)!);
    windows.at(-1)!.postMessage(frame(true));
    await rig.until('an answer of the new process', () => answers.length === 4);
    await rig.until('its verdict', () => (rig.store.parts.get(answers[3]!)?.verdict ?? null) !== null);
    const { counters } = await rig.feeds.stop(projectId);
    expect(rig.store.parts.counters(projectId, before)).toEqual(counters);
  },
  patience,
);

test(
  'with good pictures enough, most papers of another kind are recognised as no known one, and those never pass',
  async () => {
    const { id, classes } = rig.store.models.active(projectId)!;
    for (const part of classes) {
      for (const kind of ['train/good', 'calibration/good', 'test/good']) {
        for (const name of await readdir(path.join(papers, part, kind))) {
          const picture = await readPicture(path.join(papers, part, kind, name));
          for (const step of [1, 2]) {
            // Pictures that nobody has seen, and that look as the others do.
            const bytes = await losslessPng({ ...picture, data: picture.data.map((v) => Math.min(255, v + step)) });
            await place(bytes, part, picture);
          }
        }
      }
    }
    await rig.models.gates(id);
    const { unknownClass } = rig.store.models.get(id);
    expect(unknownClass?.limit?.falseAlarmRate).toBeLessThan(0.05);
    expect(unknownClass?.statement).toContain('taken for unknown');
    const strangers = path.join(papers, 'PA_FLR01_TL', 'train', 'good');
    const before = rig.store.parts.newestId();
    const { presented } = await rig.feeds.handlers['feed.judgeFiles']({ projectId, paths: [strangers] }, systemCaller);
    await rig.until('their verdicts', () => (rig.store.parts.get(before + presented)?.verdict ?? null) !== null);
    const judged = Array.from({ length: presented }, (_, i) => rig.store.parts.get(before + i + 1)!);
    const unknown = judged.filter(({ reason }) => reason?.includes('none of the known classes'));
    expect(unknown.length).toBeGreaterThan(presented / 2);
    expect(unknown.filter(({ verdict }) => verdict === 'pass')).toEqual([]);
    await rig.feeds.stop(projectId);
  },
  patience,
);

async function place(bytes: Uint8Array, className: string, size: { width: number; height: number }): Promise<void> {
  const { files, projects, pictures: kept } = rig.store;
  const addedAt = rig.context.now();
  const sha256 = await files.addPicture(bytes, 'png');
  const classId = projects.classes(projectId).find(({ name }) => name === className)!.id;
  const { width: widthPx, height: heightPx } = size;
  kept.register({ sha256, extension: 'png', widthPx, heightPx, byteCount: bytes.length }, addedAt);
  kept.place({ projectId, sha256, classId, use: 'calibration', fileName: 'more.png', group: null, addedAt });
}

test(
  'files that are handed over are judged, unreadable ones with the reason; a project without a model says so',
  async () => {
    const torn = path.join(rig.root, 'torn.png');
    const [good] = await pictures(1);
    await writeFile(torn, (await readFile(good!)).subarray(0, 400));
    const before = rig.store.parts.newestId();
    const judged = await rig.feeds.handlers['feed.judgeFiles']({ projectId, paths: [torn] }, systemCaller);
    expect(judged).toEqual({ presented: 1 });
    await rig.until('its verdict', () => (rig.store.parts.get(before + 1)?.verdict ?? null) !== null);
    expect(rig.store.parts.get(before + 1)).toMatchObject({ verdict: 'noDecision', source: torn, hasHeatMap: false });
    expect(rig.store.parts.get(before + 1)!.reason).toContain('torn.png');
    await rig.feeds.stop(projectId);

    const empty = rig.store.projects.create({ name: 'Empty', note: '', createdAt: rig.context.now() });
    const none = rig.store.recipes.save({ ...recipe(folderSource(rig.root)), id: null, projectId: empty.id });
    await expect(rig.feeds.start(none)).rejects.toMatchObject({ code: 'noModel' });
  },
  patience,
);
