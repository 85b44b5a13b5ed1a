import { readRegistry, findBackbone } from '../backbones/registry.ts';
import { readModel } from '../onnx/read.ts';
import { decoderStudentSpecs, encoderStudentSpecs } from '../nn/paper-model.ts';
import { paperModelOptions } from '../nn/presets.ts';
import { readPackage } from '../package/read-package.ts';
import { modelsDir } from '../system/project-root.ts';
import type { PaperSettings } from '../training/paper-settings.ts';

/**
 * Parameters of the paper's whole model, as its Table 5 counts them: the teacher and the students of the objective.
 */
export async function paperParameters(settings: PaperSettings): Promise<number> {
  const teacher = findBackbone(await readRegistry(modelsDir()), settings.backbone).parameters;
  const options = paperModelOptions(settings);
  const specs = [
    ...(settings.objective === 'encoder' ? [] : decoderStudentSpecs(options)),
    ...(settings.objective === 'decoder' ? [] : encoderStudentSpecs(options)),
  ];
  return specs.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), teacher);
}

/** Numbers that a model's graph holds: weights, memory banks, constants. */
export async function graphNumbers(modelPath: string): Promise<number> {
  const { graph } = await readPackage(modelPath, { checkGraph: () => undefined });
  return readModel(graph).constants.reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  );
}
