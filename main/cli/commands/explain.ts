import { InvalidArgumentError, type Command } from 'commander';
import { join } from 'node:path';
import type { Explanation } from '../../../shared/explanation/types.ts';
import type { PreparedPicture } from '../../pictures/picture.ts';
import {
  addCommand,
  addEngineOptions,
  parseCount,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';

interface ExplainOptions extends EngineOptions {
  model: string;
  mmPerPx?: number;
  normals?: string;
  spots: number;
  out?: string;
  json?: boolean;
}

/** `twinspect explain` */
export function addExplainCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'explain',
    'why pictures got their verdicts, where, and what they would be without the spot',
    [
      'explain --model cookies.twin a.png',
      'explain --model cookies.twin --mm-per-px 0.08 --normals pictures/cookies a.png --out a-explained.png',
    ],
  )
    .argument('<picture...>', 'pictures, or folders of pictures')
    .option('--mm-per-px <size>', 'scale: millimetres a pixel of the picture', parseScale)
    .option('--normals <dir>', 'training pictures: the spot is then also replaced by the most similar good part')
    .option('--spots <count>', 'regions to be left out one after the other', parseCount, 1)
    .option('--out <file>', 'write the picture with its heat map (of one picture)');
  requireOption(command, '--model <file>', 'model package (.twin)');
  addEngineOptions(command).action(async (paths: string[], options: ExplainOptions) => {
    const reporter = reporterOf(context, options);
    const { listParts } = await import('../../inspection/picture-files.ts');
    const { readPicture } = await import('../../pictures/decode.ts');
    const { preparePicture } = await import('../../pictures/prepare.ts');
    const { explainPart } = await import('../../inspection/explain.ts');
    const detector = await context.services.openDetector(options.model, options);
    const { normals } = options;
    const readNormal =
      normals === undefined
        ? undefined
        : ({ className, fileName }: { className: string; fileName: string }): Promise<PreparedPicture | undefined> =>
            readFirst(
              [join(normals, className), normals].flatMap((folder) =>
                ['', 'train/good', 'train'].map((below) => join(folder, below, fileName)),
              ),
              detector.inputSize,
            );
    try {
      for (const { path, file } of await listParts(paths)) {
        context.signal.throwIfAborted();
        const picture = await readPicture(path);
        const prepared = preparePicture(picture, { size: detector.inputSize });
        const result = (await detector.inspect([prepared]))[0]!;
        const thresholds = detector.thresholdsFor(result.className);
        const explanation = await explainPart(prepared, result, {
          detector,
          thresholds,
          picture,
          counterfactuals: options.spots,
          ...(options.mmPerPx !== undefined && { mmPerPx: options.mmPerPx }),
          ...(readNormal !== undefined && { readNormal }),
        });
        reporter.record({ file, className: result.className, predScore: result.predScore, ...explanation });
        reporter.say(`${file}\n${inWords(explanation)}\n`);
        if (options.out === undefined) continue;
        const { heatLayer } = await import('../../inspection/heat-map.ts');
        const { displayPicture, encodeJpeg, encodeOverlay, layerSize } =
          await import('../../inspection/part-pictures.ts');
        const { writeFileAtomic } = await import('../../system/atomic-file.ts');
        const size = layerSize(picture);
        const layer = heatLayer(result, thresholds, size.width, size.height);
        await writeFileAtomic(
          options.out,
          layer === undefined ? await encodeJpeg(displayPicture(picture)) : await encodeOverlay(picture, layer),
        );
        reporter.say(`Heat map: ${options.out}`);
      }
    } finally {
      await detector.close();
    }
  });
}

function inWords({ summary, reasons, regions, nearestNormal, counterfactuals }: Explanation): string {
  const lines = [summary.en, ...reasons.map(({ en }) => `  ${en}`)];
  regions.forEach(({ box, peakScore, areaPx, areaMm2 }, i) => {
    const size = areaMm2 === null ? `${String(areaPx)} px` : `${String(areaPx)} px, ${areaMm2.toFixed(2)} mm2`;
    lines.push(
      `  region ${String(i + 1)}: ${String(box.width)} x ${String(box.height)} at (${String(box.x)}, ${String(box.y)}), ${size}, up to ${peakScore.toFixed(2)}`,
    );
  });
  if (nearestNormal !== null)
    lines.push(`  most similar good part: ${nearestNormal.className}/${nearestNormal.fileName}`);
  lines.push(...counterfactuals.map(({ phrase }) => `  ${phrase.en}`));
  return lines.join('\n');
}

async function readFirst(paths: readonly string[], size: number): Promise<PreparedPicture | undefined> {
  const { existsSync } = await import('node:fs');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const found = paths.find((path) => existsSync(path));
  return found === undefined ? undefined : preparePicture(await readPicture(found), { size });
}

function parseScale(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1000)) throw new InvalidArgumentError('A size in millimetres is needed, e.g. 0.08.');
  return value;
}
