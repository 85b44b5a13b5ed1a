import type { Dataset } from '../datasets/dataset.ts';
import type { Detector, EngineName } from '../detector/detector.ts';
import type { Picture, PreparedPicture } from '../pictures/picture.ts';
import type { RuntimeFacts } from '../system/doctor.ts';

/** What a detector is opened with. */
export interface OpenOptions {
  engine: EngineName;
  /** Threads of one run; undefined: as many as there are cores. */
  threads?: number;
}

/** The parts of the program that commands put together; tests put in their own. */
export interface Services {
  openDetector(modelPath: string, options: OpenOptions): Promise<Detector>;
  readPicture(path: string): Promise<Picture>;
  preparePicture(picture: Picture, size: number): PreparedPicture;
  readDataset(dirs: readonly string[]): Promise<Dataset>;
  runtimeFacts(): Promise<RuntimeFacts>;
}

const missing = (): never => {
  throw new Error('not wired yet');
};

/** The real parts, each loaded when it's first asked for: `--help` must not wait for a runtime. */
export const realServices: Services = {
  openDetector: () => missing(),
  readPicture: () => missing(),
  preparePicture: () => missing(),
  readDataset: () => missing(),
  runtimeFacts: () => Promise.resolve({ onnxruntimeVersion: undefined, providers: [], absences: [] }),
};
