// Kills `twinspect watch` at random moments and checks that every file has exactly one verdict:
//   node bench/run.mjs bench/watch-kill.ts [kills = 200] [seed = 1]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleWatchWorker, killRepeatedly, seededRandom } from '../test/inspection/watch-process.ts';

const kills = Number(process.argv[2] ?? 200);
const seed = Number(process.argv[3] ?? 1);
const worker = await bundleWatchWorker();
const folder = await mkdtemp(join(tmpdir(), 'twinspect-kill-'));
try {
  const report = await killRepeatedly({
    worker: worker.file,
    folder,
    kills,
    filesPerRun: 20,
    random: seededRandom(seed),
    onRun: (run) => {
      if (run % 20 === 0) console.log(`kill ${String(run)} of ${String(kills)}`);
    },
  });
  for (const fault of report.faults) console.log(`FAULT ${fault}`);
  console.log(
    `${String(report.kills)} kills (${String(report.killsAtWork)} at work), ${String(report.files)} files, ${String(report.records)} records, ${String(report.faults.length)} faults`,
  );
  process.exitCode = report.faults.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
  await worker.remove();
}
