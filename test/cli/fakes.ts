import { UserError } from '../../shared/errors.ts';
import type { DetectionResult } from '../../shared/detection.ts';
import { runCommandLine } from '../../main/cli/index.ts';
import type { Services } from '../../main/cli/services.ts';
import type { Detector } from '../../main/detector/detector.ts';
import type { PreparedPicture } from '../../main/pictures/picture.ts';

/** Scores a picture by its brightness: 0 is black, 4 is white. Deterministic, instant. */
export function brightnessDetector(overrides: Partial<Detector> = {}): Detector {
  return {
    modelHash: 'f'.repeat(64),
    classes: ['tile', 'Plättchen'],
    inputSize: 32,
    provider: 'cpu',
    thresholdsFor: () => ({ review: 1.5, fail: 2.5 }),
    normalPicture: (index) => (index === 0 ? { className: 'tile', fileName: 'good-1.png' } : undefined),
    inspect: (pictures) => Promise.resolve(pictures.map(scoreByBrightness)),
    close: () => Promise.resolve(),
    ...overrides,
  };
}

function scoreByBrightness({ data, width, height }: PreparedPicture): DetectionResult {
  const anomalyMap = new Float32Array(width * height).map((_, i) => data[3 * i]! / 64);
  const predScore = anomalyMap.reduce((sum, value) => sum + value, 0) / anomalyMap.length;
  return {
    className: 'tile',
    predScore,
    localScore: predScore - 1,
    semanticScore: Number.NaN,
    memoryScore: predScore / 2,
    classDistance: 1,
    nearestNormal: 0,
    anomalyMap,
    mapWidth: width,
    mapHeight: height,
  };
}

export function fakeServices(overrides: Partial<Services> = {}): Services {
  return {
    openDetector: () => Promise.resolve(brightnessDetector()),
    trainModel: () => Promise.reject(new UserError('notHere', 'Training is not part of this test.')),
    runtimeFacts: () =>
      Promise.resolve({
        onnxruntimeVersion: '1.30.0',
        providers: [{ name: 'cpu', available: true, reason: undefined, remedy: undefined }],
      }),
    ...overrides,
  };
}

export interface CliRun {
  code: number;
  out: string;
  err: string;
  /** Standard output as JSON lines. */
  records: () => Record<string, unknown>[];
}

/** Runs a command line inside this process with fake streams and parts. */
export async function runCli(
  argv: readonly string[],
  settings: { services?: Partial<Services>; signal?: AbortSignal } = {},
): Promise<CliRun> {
  let out = '';
  let err = '';
  const code = await runCommandLine(argv, {
    terminal: { out: (text) => (out += text), err: (text) => (err += text), interactive: false },
    services: fakeServices(settings.services),
    signal: settings.signal ?? new AbortController().signal,
  });
  const records = (): Record<string, unknown>[] =>
    out
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, out, err, records };
}
