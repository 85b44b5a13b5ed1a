import { installedVersion } from '../system/doctor.ts';
import type { TrainingEvent } from '../../shared/training-events.ts';
import type { Detector, EngineName } from '../detector/detector.ts';
import type { RuntimeFacts } from '../system/doctor.ts';
import type { TrainingRequest, TrainingSummary } from '../training/request.ts';

/** What a detector is opened with. */
export interface OpenOptions {
  engine: EngineName;
  /** Threads of one run; undefined: as many as there are cores. */
  threads?: number;
}

/** The heavy parts that commands put together; tests put in their own. */
export interface Services {
  openDetector(modelPath: string, options: OpenOptions): Promise<Detector>;
  trainModel(
    request: TrainingRequest,
    onEvent: (event: TrainingEvent) => void,
    signal: AbortSignal,
  ): Promise<TrainingSummary>;
  runtimeFacts(): Promise<RuntimeFacts>;
}

/** The real parts, each loaded when it's first asked for: `--help` must not wait for a runtime. */
export const realServices: Services = {
  openDetector: async (path, { engine, threads }) => {
    const { openDetector } = await import('../detector/open-detector.ts');
    return openDetector(path, { engine, ...(threads !== undefined && { threads }) });
  },
  trainModel: async (request, onEvent, signal) => {
    const { trainModel } = await import('../training/run.ts');
    return trainModel(request, onEvent, signal);
  },
  runtimeFacts: async () => {
    try {
      const { listProviders } = await import('../runtime/providers.ts');
      return { onnxruntimeVersion: installedVersion('onnxruntime-node'), providers: await listProviders() };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return {
        onnxruntimeVersion: undefined,
        providers: [{ name: 'cpu', available: false, reason, remedy: undefined }],
      };
    }
  },
};
