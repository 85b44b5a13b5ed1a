// `twinspect watch` as a process of its own, with a detector that needs no model: for tests that kill it.
import { setTimeout as pause } from 'node:timers/promises';
import { runCommandLine } from '../../main/cli/index.ts';
import { brightnessDetector, fakeServices } from '../cli/fakes.ts';

const detector = brightnessDetector();
const delayMs = Number(process.env['DETECTOR_DELAY_MS'] ?? 0);
const services = fakeServices({
  openDetector: () =>
    Promise.resolve({
      ...detector,
      inspect: async (pictures) => {
        if (delayMs > 0) await pause(delayMs);
        return detector.inspect(pictures);
      },
    }),
});
const rss = process.env['RSS_EVERY_MS'];
if (rss !== undefined) {
  setInterval(() => {
    process.stderr.write(`rss ${String(process.memoryUsage.rss())}\n`);
  }, Number(rss)).unref();
}
process.exitCode = await runCommandLine(process.argv.slice(2), { services });
