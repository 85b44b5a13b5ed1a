import type { Command } from 'commander';
import { join } from 'node:path';
import type { Detector } from '../../detector/detector.ts';
import type { PresentedPart } from '../../inspection/pipeline.ts';
import type { Picture, PreparedPicture } from '../../pictures/picture.ts';
import { projectRoot } from '../../system/project-root.ts';
import { protocolIds } from '../../benchmark/protocol-ids.ts';
import { addCommand, addEngineOptions, collect, parseCount, reporterOf, type CommandContext } from '../context.ts';
import { formatTable } from '../console.ts';
import { exitCodes } from '../exit-codes.ts';
import { addProtocolOptions, type ProtocolOptions } from './benchmark-options.ts';
import { runProtocol } from './benchmark-protocol.ts';

interface BenchmarkOptions extends ProtocolOptions {
  model?: string;
  pictures: number;
  rounds: number;
}

/** Times of one way of judging, milliseconds a picture, one number a round. */
type Times = Record<'detector' | 'pipeline' | 'files', number[]>;

/** `twinspect benchmark <protocol>` repeats an experiment; `twinspect benchmark --model` measures speed. */
export function addBenchmarkCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'benchmark [protocol]',
    'repeat an experiment of the paper on a published data set, or measure how fast a model judges here',
    [
      'benchmark mvtec-ad --data mvtec_anomaly_detection               (the paper’s Table 1; needs DINOv2-B weights)',
      'benchmark mvtec-ad --data mvtec --preset embedded --seeds 3 --with-pixels',
      'benchmark cifar10 --data cifar-10-binary.tar.gz --ablation all',
      'benchmark mvtec-ad --data mvtec --shots 1,2,4,8 --resume',
      'benchmark --model cookies.twin                                  (speed of this machine)',
      'benchmark --model cookies.twin --data line3/pictures --threads 1 --json',
    ],
  )
    .addHelpText('after', `\nProtocols: ${protocolIds.join(', ')}\n`)
    .option('--model <file>', 'speed: model package (.twin) to measure')
    .option(
      '--data <dir>',
      'the data set, unpacked or as archives; speed: pictures to judge; may be given again',
      collect,
    )
    .option('--pictures <count>', 'speed: pictures a round', parseCount, 24)
    .option('--rounds <count>', 'speed: rounds; their median counts', parseCount, 5);
  addProtocolOptions(command);
  addEngineOptions(command).action(async (protocol: string | undefined, options: BenchmarkOptions) => {
    if (protocol !== undefined) {
      await runProtocol(protocol, options, context);
    } else if (options.model !== undefined) await measureSpeed(options.model, options, context);
    else {
      command.error(`error: say what to measure: a protocol (${protocolIds.join(', ')}), or --model <file> for speed`, {
        exitCode: exitCodes.usage,
      });
    }
  });
}

async function measureSpeed(model: string, options: BenchmarkOptions, context: CommandContext): Promise<void> {
  const reporter = reporterOf(context, options);
  const opening = performance.now();
  const detector = await context.services.openDetector(model, options);
  try {
    const openMs = performance.now() - opening;
    const times = await measure(detector, options, context);
    const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
    const results = (['detector', 'pipeline', 'files'] as const).map((what) => ({
      what,
      medianMs: median(times[what]),
      fastestMs: Math.min(...times[what]),
      overDetector: median(times[what]) / median(times.detector) - 1,
    }));
    reporter.record({ provider: detector.provider, threads: options.threads ?? null, openMs, results });
    reporter.say(
      `engine ${detector.provider}, model opened in ${openMs.toFixed(0)} ms, ${String(options.rounds)} rounds of ${String(options.pictures)} pictures`,
    );
    const words = {
      detector: 'detector alone, prepared pictures',
      pipeline: 'inspection flow, prepared pictures',
      files: 'inspection flow, from files',
    };
    const rows = results.map(({ what, medianMs, fastestMs, overDetector }) => [
      words[what],
      medianMs.toFixed(2),
      fastestMs.toFixed(2),
      (1000 / medianMs).toFixed(1),
      what === 'detector' ? '' : `${(100 * overDetector).toFixed(1)} %`,
    ]);
    reporter.say(formatTable(['what', 'median ms', 'fastest ms', 'a second', 'more than the detector'], rows));
  } finally {
    await detector.close();
  }
}

/** The three ways take turns within each round, so that a slow moment of the machine hits all of them. */
async function measure(detector: Detector, options: BenchmarkOptions, context: CommandContext): Promise<Times> {
  const { inspectParts } = await import('../../inspection/pipeline.ts');
  const { listParts } = await import('../../inspection/picture-files.ts');
  const { decodeFile } = await import('../../inspection/decode-file.ts');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');

  const listed = await listParts(options.data ?? [join(projectRoot(), 'models', 'sample', 'papers')]);
  const every = Math.max(1, Math.floor(listed.length / options.pictures));
  const parts = listed.filter((_, i) => i % every === 0).slice(0, options.pictures);
  const prepare = (picture: Picture, size: number): PreparedPicture => preparePicture(picture, { size });
  const ready = new Map<string, { picture: Picture; prepared: PreparedPicture }>();
  for (const { path } of parts) {
    const picture = await readPicture(path);
    ready.set(path, { picture, prepared: prepare(picture, detector.inputSize) });
  }
  const preparedOf = new Map([...ready.values()].map(({ picture, prepared }) => [picture, prepared]));

  const ways: Record<keyof Times, () => Promise<unknown>> = {
    detector: async () => {
      for (const { prepared } of ready.values()) await detector.inspect([prepared]);
    },
    pipeline: () =>
      inspectParts(each(parts), {
        detector,
        decode: ({ path }) => Promise.resolve({ picture: ready.get(path)!.picture, contentHash: path }),
        prepare: (picture) => preparedOf.get(picture)!,
        sinks: [],
      }),
    files: () => inspectParts(each(parts), { detector, decode: decodeFile, prepare, sinks: [] }),
  };
  const times: Times = { detector: [], pipeline: [], files: [] };
  for (let round = -1; round < options.rounds; round++) {
    for (const what of ['detector', 'pipeline', 'files'] as const) {
      context.signal.throwIfAborted();
      const start = performance.now();
      await ways[what]();
      // The first round warms up.
      if (round >= 0) times[what].push((performance.now() - start) / parts.length);
    }
  }
  return times;
}

async function* each(parts: readonly PresentedPart[]): AsyncGenerator<PresentedPart> {
  yield* parts;
}
