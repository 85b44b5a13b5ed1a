/**
 * What 30 judged parts a second cost the window: processor time of its main thread per frame, long tasks, and gaps
 * between frames, in the real program. Real parts of the sample's line (pictures, heat maps, records) are kept as they
 * come from the process that judges, then sent again 30 times a second over the same MessagePort, at most two on their
 * way.
 *
 *   xvfb-run -a -s "-screen 0 1920x1080x24" node bench/run.mjs bench/station-frames.ts [--rate 30] [--seconds 20]
 *
 * A frame's work is the processor time of all tasks of the main thread from one animation frame to the next: other
 * programs that hold the processor don't count, what they delay shows in the gaps alone.
 */
import { _electron, expect, type ElectronApplication, type Page } from '@playwright/test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../main/cli/console.ts';
import { projectRoot } from '../main/system/project-root.ts';
import { livePortChannel } from '../shared/ipc/channel-names.ts';
import type { LivePart } from '../shared/ipc/live.ts';
import { ask, until } from '../test/e2e/station.ts';
import { readyToStart } from './station-app.ts';

const { values: options } = parseArgs({
  options: { rate: { type: 'string', default: '30' }, seconds: { type: 'string', default: '20' } },
});
const rate = Number(options.rate);
const seconds = Number(options.seconds);
const keptParts = 24;

/** What the functions below keep in the program's main process. */
interface InMain {
  kept: LivePart[];
  out: { postMessage(message: unknown): void };
  inFlight: number;
  sent: number;
  skipped: number;
  timer: NodeJS.Timeout;
}

/** Stands between the judging process and the window from the next live port on: keeps parts, passes nothing on. */
function standBetween(app: ElectronApplication): Promise<void> {
  return app.evaluate(({ BrowserWindow, MessageChannelMain }, channel) => {
    const here = globalThis as unknown as InMain;
    const [window] = BrowserWindow.getAllWindows();
    const { webContents } = window!;
    const send = webContents.postMessage.bind(webContents);
    here.kept = [];
    here.inFlight = here.sent = here.skipped = 0;
    webContents.postMessage = (name, message, ports) => {
      const [judge] = ports ?? [];
      if (name !== channel || judge === undefined) {
        send(name, message, ports);
        return;
      }
      judge.on('message', ({ data }) => {
        if ((data as { type: string }).type !== 'part') return;
        here.kept.push(data as LivePart);
        judge.postMessage({ type: 'ack' });
      });
      judge.start();
      const { port1, port2 } = new MessageChannelMain();
      port1.on('message', () => (here.inFlight = Math.max(0, here.inFlight - 1)));
      port1.start();
      here.out = port1;
      send(name, message, [port2]);
    };
  }, livePortChannel);
}

function startLine(app: ElectronApplication, perSecond: number): Promise<void> {
  return app.evaluate((_, wanted) => {
    const here = globalThis as unknown as InMain;
    const began = performance.now();
    let next = 0;
    here.timer = setInterval(() => {
      // As many as are due; one that finds two on their way is skipped, as the judging process does it.
      for (; next < ((performance.now() - began) * wanted) / 1000; next++) {
        if (here.inFlight >= 2) {
          here.skipped++;
          continue;
        }
        const live = here.kept[next % here.kept.length]!;
        here.inFlight++;
        here.sent++;
        here.out.postMessage({ ...live, part: { ...live.part, id: 1_000_000 + next } });
      }
    }, 4);
  }, perSecond);
}

/** Times of the window's animation frames, ms. */
function watchFrames(window: Page): Promise<void> {
  return window.evaluate(() => {
    const here = globalThis as unknown as {
      frames: number[];
      requestAnimationFrame(next: (at: number) => void): void;
    };
    here.frames = [];
    const next = (): void => {
      here.frames.push(performance.now());
      here.requestAnimationFrame(next);
    };
    here.requestAnimationFrame(next);
  });
}

interface TraceEvent {
  name: string;
  ph: string;
  ts: number;
  dur?: number;
  tdur?: number;
  pid: number;
  tid: number;
  args?: { name?: string };
}

/** Tasks of the window's main thread and its animation frames, in µs. */
function readTrace(file: string, pid: number): { tasks: TraceEvent[]; frames: number[] } {
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as { traceEvents: TraceEvent[] };
  const main = traceEvents.find(
    (event) => event.pid === pid && event.name === 'thread_name' && event.args?.name === 'CrRendererMain',
  );
  if (main === undefined) throw new Error('the trace has no main thread of the window');
  const ours = traceEvents.filter((event) => event.pid === pid && event.tid === main.tid && event.ph === 'X');
  const tasks = ours.filter(({ name }) => name.endsWith('RunTask')).sort((a, b) => a.ts - b.ts);
  // Several callbacks of one frame run in one task.
  const callbacks = ours.filter(({ name }) => name === 'FireAnimationFrame').map(({ ts }) => ts);
  const frames = tasks.filter(({ ts, dur = 0 }) => callbacks.some((one) => one >= ts && one <= ts + dur));
  return { tasks, frames: frames.map(({ ts }) => ts) };
}

const at = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? NaN;
const row = (what: string, values: readonly number[]): string[] => [
  what,
  String(values.length),
  ...[0.5, 0.95, 0.99, 1].map((share) => at(values, share).toFixed(2)),
];

const executablePath = await readyToStart();
const folder = mkdtempSync(path.join(tmpdir(), 'twinspect-frames-'));
const app = await _electron.launch({
  executablePath,
  args: [projectRoot(), `--user-data-dir=${path.join(folder, 'data')}`, '--disable-gpu'],
  timeout: 120_000,
});
try {
  const window = await app.firstWindow();
  const verdict = window.getByRole('complementary', { name: 'Verdict' });
  await expect(verdict.getByText('FAIL', { exact: true }).first()).toBeVisible({ timeout: 400_000 });
  const [project] = await ask(window, 'projects.list', {});
  const projectId = project!.id;
  const current = (): ReturnType<typeof ask<'training.current'>> => ask(window, 'training.current', { projectId });
  const run = await until('the full training', current, (state) => state?.request.preset === 'embedded', 400_000);
  await ask(window, 'training.cancel', { id: run!.id }).catch(() => undefined);
  await standBetween(app);
  await ask(window, 'feed.openLive', { projectId });
  await until(
    'real parts',
    () => app.evaluate(() => (globalThis as unknown as InMain).kept.length),
    (kept) => kept >= keptParts,
    400_000,
  );
  await ask(window, 'feed.stop', { projectId });
  const pid = await window
    .evaluate(() => 0)
    .then(() => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.webContents.getOSProcessId()));
  await startLine(app, rate);
  // The first second brings what is only compiled once.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const trace = path.join(folder, 'trace.json');
  await app.evaluate(async ({ contentTracing }) => {
    await contentTracing.startRecording({
      included_categories: ['toplevel', 'devtools.timeline'],
      excluded_categories: ['*'],
    });
  });
  await watchFrames(window);
  const before = await app.evaluate(() => {
    const { sent, skipped } = globalThis as unknown as InMain;
    return { sent, skipped, at: performance.now() };
  });
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const after = await app.evaluate(() => {
    const { sent, skipped } = globalThis as unknown as InMain;
    return { sent, skipped, at: performance.now() };
  });
  const times = await window.evaluate(() => (globalThis as unknown as { frames: number[] }).frames);
  await app.evaluate(async ({ contentTracing }, file) => {
    clearInterval((globalThis as unknown as InMain).timer);
    await contentTracing.stopRecording(file);
  }, trace);
  const { tasks, frames } = readTrace(trace, pid);
  if (!tasks.some(({ tdur }) => tdur !== undefined)) throw new Error('this Electron does not trace processor time');
  const work = frames.slice(1).map((end, i) => {
    const begin = frames[i]!;
    return tasks.reduce((sum, { ts, tdur = 0 }) => (ts >= begin && ts < end ? sum + tdur / 1000 : sum), 0);
  });
  const elapsedS = (after.at - before.at) / 1000;
  const shown = (after.sent - before.sent) / elapsedS;
  console.log(
    formatTable(
      ['ms', 'count', 'median', 'p95', 'p99', 'most'],
      [
        row('processor time of the main thread per frame', work),
        row(
          'longest task by processor time',
          tasks.map(({ tdur = 0 }) => tdur / 1000),
        ),
        row(
          'longest task by the clock',
          tasks.map(({ dur = 0 }) => dur / 1000),
        ),
        row(
          'gap between frames',
          times.slice(1).map((time, i) => time - times[i]!),
        ),
      ],
    ),
  );
  const total = tasks.reduce((sum, { tdur = 0 }) => sum + tdur / 1000, 0);
  console.log(
    `${shown.toFixed(1)} parts a second reached the window (${String(after.skipped - before.skipped)} skipped, two were on their way); main thread busy ${((total / (elapsedS * 1000)) * 100).toFixed(0)} % of a core, ${(total / (after.sent - before.sent)).toFixed(2)} ms a part`,
  );
  console.log(
    `${String(availableParallelism())} cores, load average ${loadavg()
      .map((load) => load.toFixed(1))
      .join(', ')}; 95 % of frames ${at(work, 0.95) < 16 ? 'stay below' : 'EXCEED'} 16 ms`,
  );
} finally {
  await app.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
