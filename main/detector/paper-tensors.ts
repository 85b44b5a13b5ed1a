import type { NamedArray } from '../nn/init.ts';
import type { Params } from '../nn/layers.ts';
import { detectPaper, type PaperFeatureTensors, type PaperScoring } from '../nn/paper-detector.ts';
import type { DetectorOutputs } from '../nn/embedded-detector.ts';
import type { PaperModelOptions } from '../nn/paper-model.ts';
import { tf } from '../nn/tf.ts';

/** The paper's students after training, with what is needed to score with them. */
export interface FittedPaperStudents {
  /** Trained parameters, named as in `makePaperModel`. */
  params: ReadonlyMap<string, NamedArray>;
  /** `[K, C]` mean final class token (teacher) of every class. */
  centres: NamedArray;
  options: PaperModelOptions;
  scoring: PaperScoring;
}

/** `detectPaper` with the fitted numbers. Call it inside the trace that uses it. */
export function runPaperDetector(features: PaperFeatureTensors, fitted: FittedPaperStudents): DetectorOutputs {
  const tensor = ({ shape, data }: NamedArray): tf.Tensor => tf.tensor(data, [...shape]);
  const params: Params = Object.fromEntries([...fitted.params].map(([name, array]) => [name, tensor(array)]));
  return detectPaper(features, params, tensor(fitted.centres), fitted.options, fitted.scoring);
}
