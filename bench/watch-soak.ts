// Memory of `twinspect watch` while pictures come in, with a detector that takes no time:
//   node bench/run.mjs bench/watch-soak.ts [pictures = 20000]
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { greyPng } from '../test/cli/pictures.ts';
import { bundleWatchWorker, startWatch } from '../test/inspection/watch-process.ts';

const pictures = Number(process.argv[2] ?? 20_000);
const worker = await bundleWatchWorker();
const folder = await mkdtemp(join(tmpdir(), 'twinspect-soak-'));
const inbox = join(folder, 'inbox');
const journal = join(folder, 'results', 'journal.jsonl');
const MB = 2 ** 20;

/** Records so far, from the journal's size: reading it each time would take longer than the soak. */
async function recordsSoFar(): Promise<number> {
  return (await readFile(journal, 'latin1').catch(() => '')).split('{"record"').length - 1;
}

try {
  await mkdir(inbox, { recursive: true });
  const start = Date.now();
  const { child, ended } = startWatch(worker.file, [inbox, '--out', join(folder, 'results'), '--until-idle', '15'], {
    RSS_EVERY_MS: '250',
  });
  const samples: { written: number; rss: number }[] = [];
  let written = 0;
  child.stderr?.on('data', (text: string) => {
    for (const [, bytes] of text.matchAll(/rss (\d+)/g)) samples.push({ written, rss: Number(bytes) });
  });
  for (; written < pictures; written++) {
    // Different pictures, three quarters of them good, one in fifty unreadable.
    const picture = greyPng(written % 4 === 0 ? 150 + (written % 100) : written % 90, 64, written);
    await writeFile(join(inbox, `${String(written)}.png`), written % 50 === 0 ? picture.subarray(0, 60) : picture);
    if (written % 500 === 499) {
      while (child.exitCode === null && written - (await recordsSoFar()) > 1000) await pause(200);
    }
  }
  const { code, out } = await ended;
  const seconds = (Date.now() - start) / 1000;
  console.log(`${'pictures'.padStart(9)}  ${'RSS MB'.padStart(7)}`);
  const every = Math.max(1, Math.floor(samples.length / 24));
  samples.forEach(({ written: at, rss }, i) => {
    if (i % every === 0) console.log(`${String(at).padStart(9)}  ${(rss / MB).toFixed(1).padStart(7)}`);
  });
  const third = (k: number): number[] =>
    samples
      .slice(Math.floor((k * samples.length) / 3), Math.floor(((k + 1) * samples.length) / 3))
      .map(({ rss }) => rss);
  const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
  console.log(
    `median RSS of the first, second, third third: ${[0, 1, 2].map((k) => (median(third(k)) / MB).toFixed(1)).join(', ')} MB`,
  );
  const told = out.split('"id":').length - 1;
  console.log(
    `${String(pictures)} in, ${String(told)} out, exit ${String(code)}, ${seconds.toFixed(0)} s, ${(pictures / seconds).toFixed(0)} a second`,
  );
  process.exitCode = told === pictures && code === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
  await worker.remove();
}
