import * as ort from 'onnxruntime-node';
import { OnnxGraph } from '../onnx/graph.ts';
import { UserError } from '../../shared/errors.ts';

/** ONNX Runtime execution providers Twinspect knows, fastest first. */
export const providerNames = ['cuda', 'dml', 'coreml', 'webgpu', 'cpu'] as const;
export type ProviderName = (typeof providerNames)[number];
/** What a person may ask for: one of the providers, or the best that is safe to take. */
export type ProviderChoice = ProviderName | 'auto';

/** One provider as it was found on this machine. */
export interface ProviderReport {
  readonly name: ProviderName;
  /** A small graph really ran on it, with nothing left to the CPU. */
  readonly available: boolean;
  /** Why it is not available, in ONNX Runtime's words; undefined where it is. */
  readonly reason: string | undefined;
  /** What a person can do about it. */
  readonly remedy: string | undefined;
}

/** A provider that was chosen, and why. */
export interface ChosenProvider {
  readonly provider: ProviderName;
  readonly reason: string;
}

const remedies: Readonly<Record<ProviderName, string>> = {
  cpu: 'Reinstall the onnxruntime-node package.',
  cuda:
    "Install NVIDIA's driver, CUDA 12 and cuDNN 9, and fetch ONNX Runtime's CUDA parts (Linux x64 only): " +
    '`node node_modules/onnxruntime-node/script/install.js`. Or take another provider: cpu always works.',
  dml: 'DirectML comes with Twinspect on Windows and needs a DirectX 12 graphics driver. Or take the provider cpu.',
  webgpu: 'WebGPU needs a graphics driver with Vulkan, Metal or DirectX 12. Or take the provider cpu.',
  coreml: 'CoreML is there on Macs with Apple silicon only. Or take the provider cpu.',
};

/** Providers that `auto` may take: the others are experimental or leave much of a graph to the CPU. */
const automatic: readonly ProviderName[] = ['cuda', 'dml', 'cpu'];

/** A graph of one matrix product, small enough to try a provider with. */
function probeModel(): Uint8Array {
  const graph = new OnnxGraph('probe');
  const x = graph.input('x', 'float32', [2, 2]);
  const [y] = graph.node('MatMul', [x, x]);
  graph.output('y', y, 'float32', [2, 2]);
  return graph.toBytes();
}

// What goes wrong is in the errors already; ONNX Runtime would print it too. It reads this once, at its first session.
ort.env.logLevel = 'fatal';

const probed = new Map<ProviderName, Promise<ProviderReport>>();

/** Tries a provider once per process with a graph that must run on it entirely. */
export function probeProvider(name: ProviderName): Promise<ProviderReport> {
  const known = probed.get(name);
  if (known !== undefined) return known;
  const report = tryProvider(name).then(
    () => ({ name, available: true, reason: undefined, remedy: undefined }),
    (error: unknown) => ({
      name,
      available: false,
      // Not where in ONNX Runtime's source it was found, nor the condition written there.
      reason: (error instanceof Error ? error.message : String(error))
        .trim()
        .replace(/^\S+\.(?:cc|h):\d+ .*? was false\. /s, ''),
      remedy: remedies[name],
    }),
  );
  probed.set(name, report);
  return report;
}

async function tryProvider(name: ProviderName): Promise<void> {
  if (!ort.listSupportedBackends().some((backend) => backend.name === name)) {
    throw new Error(`this build of ONNX Runtime (${process.platform} ${process.arch}) does not contain it`);
  }
  const session = await ort.InferenceSession.create(probeModel(), {
    executionProviders: [name],
    logSeverityLevel: 4,
    ...(name === 'cpu' ? {} : { extra: { session: { disable_cpu_ep_fallback: '1' } } }),
  });
  const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [2, 2]) });
  if (y === undefined || Math.abs(Number(y.data[3]) - 22) > 1e-3) throw new Error('it computed a wrong result');
  await session.release();
}

/** Every provider and whether it works here. */
export function listProviders(): Promise<ProviderReport[]> {
  return Promise.all(providerNames.map((name) => probeProvider(name)));
}

/**
 * Resolves a person's choice to a provider that works here. `auto` takes the first of cuda, dml and cpu that does.
 *
 * @throws UserError `providerUnknown` for a name there is none of, `providerAbsent` when what was asked for does not
 *   work here: there is no silent fallback
 */
export async function chooseProvider(choice: string): Promise<ChosenProvider> {
  if (choice === 'auto') {
    const passed: string[] = [];
    for (const name of automatic) {
      const report = await probeProvider(name);
      if (report.available) {
        const skipped = passed.length === 0 ? '' : `; not available here: ${passed.join(', ')}`;
        return { provider: name, reason: `auto took ${name}${skipped}` };
      }
      passed.push(name);
    }
  }
  const name = choice === 'auto' ? 'cpu' : providerNames.find((known) => known === choice);
  if (name === undefined) {
    throw new UserError(
      'providerUnknown',
      `There is no execution provider "${choice}".`,
      `Choose one of: auto, ${providerNames.join(', ')}.`,
    );
  }
  // The CPU is always there: trying it first would only delay every start.
  if (name === 'cpu') return { provider: name, reason: 'cpu was asked for' };
  const report = await probeProvider(name);
  if (report.available) return { provider: name, reason: `${name} was asked for` };
  throw new UserError(
    'providerAbsent',
    `The execution provider "${name}" does not work on this machine: ${report.reason ?? ''}.`,
    report.remedy,
  );
}
