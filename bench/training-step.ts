/**
 * Time of one training step, traced to ONNX, against an equivalent PyTorch model in the same run.
 *
 *   node bench/run.mjs bench/training-step.ts [--model embedded|vit|paper-small|paper-base] [--threads 1] [--rounds 15]
 *     [--batch 8] [--python PATH]
 *
 * `vit` is a small one; the paper presets are measured at 224 px, step by step only: the Loop form brings nothing where a
 * step takes seconds.
 *
 * PyTorch comes from `--python`, an interpreter that has it; without one, only ONNX Runtime is measured. Both sides
 * take turns step by step, so that whatever else the machine does meets both. Prints minimum and median on the clock,
 * and the median of processor time, which a busy machine disturbs least.
 */
import { parseArgs } from 'node:util';
import { embeddedStudentDefaults, encoderLevels, makeEmbeddedModel } from '../main/nn/embedded-students.ts';
import { initialise } from '../main/nn/init.ts';
import { makePaperModel } from '../main/nn/paper-model.ts';
import { paperModelOptions, presets } from '../main/nn/presets.ts';
import { makeTrainingStep, type TrainableModel } from '../main/nn/training-step.ts';
import { openOrtEngine } from '../main/runtime/ort-engine.ts';
import type { StepInputs } from '../main/runtime/training-engine.ts';
import { createRandom } from '../shared/random.ts';
import type { Took } from './tools.ts';
import { startTorch } from './torch.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'embedded' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    batch: { type: 'string', default: '8' },
    python: { type: 'string' },
  },
});
const threads = Number(values.threads);
const rounds = Number(values.rounds);
/** Steps in one run of the Loop form; its time is divided by this. */
const loopSteps = 4;

interface Subject {
  readonly model: TrainableModel;
  /** What the Python side builds the same model from. */
  readonly torch: Record<string, unknown>;
}

function embedded(): Subject {
  const dims = {
    groups: [120, 208],
    encoderTokens: 64,
    encoderDims: 192,
    stages: [16, 24, 48, 88, 120, 208, 352],
    head: 1280,
  } as const;
  const options = embeddedStudentDefaults;
  return {
    model: makeEmbeddedModel(dims),
    torch: {
      kind: 'embedded',
      batch: options.batch,
      groups: dims.groups,
      levels: encoderLevels(dims),
      width: options.decoderWidth,
      hidden: options.decoderHidden,
      heads: options.decoderHeads,
      decoderDepth: options.decoderDepth,
      encoderDepth: options.encoderDepth,
      encoderTokens: dims.encoderTokens,
      encoderDims: dims.encoderDims,
      tokens: options.tokensPerStep,
    },
  };
}

const isFullSize = values.model.startsWith('paper-');

function vit(): Subject {
  const batch = Number(values.batch);
  const preset = values.model === 'paper-base' ? presets['paper-base'] : presets['paper-small'];
  const [width, heads, side] = isFullSize ? [preset.embedDim, preset.heads, 16] : [192, 3, 14];
  const options = { ...paperModelOptions(preset), embedDim: width, heads };
  return {
    model: makePaperModel(options, batch, { rows: side, columns: side }),
    torch: {
      kind: 'paper',
      batch,
      width,
      heads,
      decoderDepth: options.decoder.depth,
      encoderDepth: options.encoder.depth,
      tokens: side * side + 1 + options.registers,
      skip: 1 + options.registers,
    },
  };
}

const { model, torch } = values.model === 'embedded' ? embedded() : vit();
const step = makeTrainingStep(model, embeddedStudentDefaults.optimizer);
const random = createRandom(1);
const state = new Map(
  step.state.map(({ name, shape }): [string, Float32Array] => [
    name,
    new Float32Array(shape.reduce((a, b) => a * b, 1)),
  ]),
);
for (const [name, { data }] of initialise(model.params, random)) state.set(name, data);
const scalars: Record<string, number> = { lr: 1e-3, decay: 1 - 1e-7, biasCorrection1: 0.5, biasCorrection2: 0.01 };
const inputs: StepInputs = Object.fromEntries(
  step.inputs.map(({ name, shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const draw = (): number =>
      scalars[name] ??
      (name === 'label'
        ? 1
        : name === 'miningRank'
          ? 200
          : name.startsWith('mask')
            ? Number(random.next() > 0.4) / 0.6
            : 3.4 * (random.next() - 0.5));
    return [name, Float32Array.from({ length: size }, draw)];
  }),
);

const stepwise = await openOrtEngine(step, state, { threads, mode: 'stepwise', inline: true });
/** Beside the whole step: small models in a Loop, large ones part by part in place (trained so from ViT-B on). */
const mode = isFullSize ? 'partwise' : 'loop';
const trained = await openOrtEngine(step, state, { threads, mode, inline: true });
const perRun = isFullSize ? 1 : loopSteps;
const python =
  values.python === undefined
    ? undefined
    : await startTorch(values.python, 'training_step_torch.py', { ...torch, threads });
const parameters = model.params.reduce((total, { shape }) => total + shape.reduce((a, b) => a * b, 1), 0);
console.log(
  `${values.model}: ${(parameters / 1e6).toFixed(2)} M parameters, ${threads} thread(s), ${stepwise.describe().engine}`,
);
if (python !== undefined) console.log(`PyTorch: ${python.about}`);

const trainedName = isFullSize ? 'ONNX partwise' : `ONNX Loop, ${loopSteps} steps`;
const times: Record<string, Took[]> = { 'ONNX stepwise': [], [trainedName]: [], PyTorch: [] };

async function time(run: () => Promise<unknown>, steps: number): Promise<Took> {
  const [started, used] = [performance.now(), process.cpuUsage()];
  await run();
  const { user, system } = process.cpuUsage(used);
  return { clock: (performance.now() - started) / steps, processor: (user + system) / 1000 / steps };
}

const warmUps = isFullSize ? 1 : 2;
for (let round = 0; round < rounds + warmUps; round++) {
  const measured = [
    await time(() => stepwise.runSteps([inputs]), 1),
    await time(() => trained.runSteps(new Array<StepInputs>(perRun).fill(inputs)), perRun),
    python === undefined ? { clock: Number.NaN, processor: Number.NaN } : (await python.run()).took,
  ];
  if (round >= warmUps) Object.values(times).forEach((list, i) => list.push(measured[i]!));
}
python?.end();
await stepwise.close();
await trained.close();

/** Minimum and median. */
function summary(list: readonly number[]): [number, number] {
  const sorted = [...list].sort((a, b) => a - b);
  return [sorted[0]!, sorted[Math.floor(sorted.length / 2)]!];
}

const figures = (list: readonly Took[]): [number, number][] => [
  summary(list.map(({ clock }) => clock)),
  summary(list.map(({ processor }) => processor)),
];
const reference = figures(times['PyTorch']!);
console.table(
  Object.fromEntries(
    Object.entries(times).map(([name, list]) => {
      const columns = figures(list).flatMap(([min, median], i) => {
        const what = ['clock', 'processor'][i]!;
        const [referenceMin, referenceMedian] = reference[i]!;
        return [
          [`${what} ms`, `${min.toFixed(0)} / ${median.toFixed(0)}`],
          [`${what} / PyTorch`, `${(min / referenceMin).toFixed(2)} / ${(median / referenceMedian).toFixed(2)}`],
        ];
      });
      return [name, Object.fromEntries(columns) as Record<string, string>];
    }),
  ),
);
console.log('Each cell: minimum / median.');
