import type { TrainingEvent } from '../../shared/training-events.ts';
import type { Detector, EngineName } from '../detector/detector.ts';
import type { RuntimeFacts } from '../system/doctor.ts';

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

/** What `twinspect train` was asked for. */
export interface TrainingRequest {
  dataDirs: string[];
  preset: string;
  seed: number;
  out: string;
  engine: EngineName;
  threads?: number;
  /** Normal pictures per class; undefined: all. */
  shots?: number;
  steps?: number;
  /** Goes on from a checkpoint of the same request. */
  resume: boolean;
  /** Memory only: ready in seconds. */
  instant: boolean;
}

/** What came out. */
export interface TrainingSummary {
  modelPath: string;
  modelHash: string;
  classes: string[];
  elapsedMs: number;
}

const missing = (): never => {
  throw new Error('not wired yet');
};

/** The real parts, each loaded when it's first asked for: `--help` must not wait for a runtime. */
export const realServices: Services = {
  openDetector: () => missing(),
  trainModel: () => missing(),
  runtimeFacts: () => Promise.resolve({ onnxruntimeVersion: undefined, providers: [], absences: [] }),
};
