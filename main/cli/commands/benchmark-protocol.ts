import path from 'node:path';
import packageJson from '../../../package.json' with { type: 'json' };
import { UserError } from '../../../shared/errors.ts';
import type { BenchmarkRequest, Experiment, Plan } from '../../benchmark/plan.ts';
import type { Protocol } from '../../benchmark/protocols.ts';
import type { Baseline, BenchmarkReport } from '../../benchmark/report.ts';
import type { BenchmarkStep, UnitResult } from '../../benchmark/run.ts';
import type { PublishedSet } from '../../datasets/published-set.ts';
import { parseAssignments } from '../../training/assignments.ts';
import type { TrainingRequest } from '../../training/request.ts';
import { formatDuration, formatTable, type Progress, type Reporter } from '../console.ts';
import { reporterOf, type CommandContext } from '../context.ts';
import { commandLine, requestOf, type ProtocolOptions } from './benchmark-options.ts';
import { eventPrinter } from './train.ts';

/** Objective that each row of the ablation trains (method-spec section 6.3). */
const objectives = ['encoder', 'decoder', 'encoder', 'noisy-or', 'sum', 'noisy-or'] as const;

/** `twinspect benchmark <protocol>`: trains, measures, and writes one report. */
export async function runProtocol(id: string, options: ProtocolOptions, context: CommandContext): Promise<void> {
  const reporter = reporterOf(context, options);
  const { findProtocol, readProtocolData } = await import('../../benchmark/protocols.ts');
  const { notFound } = await import('../../datasets/published-set.ts');
  const { makePlan } = await import('../../benchmark/plan.ts');
  const { RunFolder } = await import('../../benchmark/run-folder.ts');
  const { runBenchmark } = await import('../../benchmark/run.ts');
  const { summarise } = await import('../../benchmark/summary.ts');
  const { writeReport } = await import('../../benchmark/report.ts');
  const { fileSha256 } = await import('../../backbones/store.ts');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const { graphNumbers, paperParameters } = await import('../../benchmark/parameters.ts');
  const { cacheFolder } = await import('../../training/cache-folder.ts');

  const protocol = findProtocol(id);
  if (options.data === undefined) throw await notFound(protocol.source, []);
  const request = requestOf(options, protocol.preset);
  const settings = await settledFor(request, options, protocol.dataKind);
  const started = performance.now();
  const set = await readProtocolData(protocol, options.data, {
    workDir: options.work ?? path.join(path.dirname(cacheFolder(undefined)), 'benchmark-data'),
    ...(options.classes !== undefined && { classes: options.classes }),
    signal: context.signal,
    onNotice: (message) => reporter.note(message),
  });
  for (const warning of set.warnings) reporter.note(`Note: ${warning}`);
  const plan = makePlan(protocol, set, request, {
    steps: options.steps ?? null,
    learnFromAll: settings?.learnFromAll ?? null,
    set: options.set ?? [],
    instant: options.instant,
    pixels: options.withPixels,
    cachePrecision: options.cachePrecision ?? 'full',
    weights: options.backboneFile === undefined ? null : await fileSha256(options.backboneFile, context.signal),
  });
  const out = options.out ?? `benchmark-${id}`;
  const folder = await RunFolder.open(out, { protocol: id, fingerprint: plan.fingerprint, resume: options.resume });
  reporter.say(
    `${protocol.source.title}, ${request.setting}, preset ${request.preset}: ${plan.units.length} training(s), ` +
      `${plan.units.reduce((sum, { groups }) => sum + groups.length, 0)} table row(s); results in ${folder.path}`,
  );

  let baselines: Baseline[] = [];
  const report = async (results: readonly UnitResult[]): Promise<BenchmarkReport> => {
    const modelM = new Map<string, number | null>();
    for (const experiment of plan.experiments) {
      const own = settings && withRow(settings, experiment);
      modelM.set(experiment.key, own === undefined ? null : await paperParameters(own));
    }
    const summaries = summarise(
      plan,
      results,
      { protocol: protocol.id, setting: request.setting, preset: request.preset },
      ({ key }) => modelM.get(key) ?? null,
    );
    return {
      ...(await reportHead(id, options, request, protocol, set, plan, settings, results)),
      complete: summaries.every(({ complete }) => complete),
      experiments: summaries,
      baselines,
    };
  };
  if (options.knn) {
    const known = await folder.readBaselines();
    if (known === undefined) {
      const { knnBaselines } = await import('../../benchmark/knn.ts');
      const shown = reporter.progress('kNN', 100, '%');
      baselines = await knnBaselines(plan, {
        provider: options.engine,
        ...(options.threads !== undefined && { threads: options.threads }),
        signal: context.signal,
        onProgress: (done, total) => shown.update(Math.round((100 * done) / total)),
      });
      reporter.settle();
      await folder.writeBaselines(baselines);
    } else baselines = known;
  }
  const results = await runBenchmark({
    plan,
    folder,
    parts: {
      trainModel: (asked, onEvent, signal) => context.services.trainModel(asked, onEvent, signal),
      openDetector: (model) => context.services.openDetector(model, options),
      readPicture,
      prepare: (picture, size) => preparePicture(picture, { size }),
      // The paper's model is counted by its parts; its graph may be too large to read whole.
      countNumbers: (model) => (settings === undefined ? graphNumbers(model).catch(() => null) : Promise.resolve(null)),
    },
    requestOf: ({ experiment }) => trainingRequest(request.preset, options, experiment, protocol.dataKind),
    pixels: options.withPixels,
    ...(settings !== undefined && { crop: settings.crop }),
    ...(protocol.kinds !== undefined && { kinds: protocol.kinds }),
    spro: protocol.hasSaturation === true,
    keepModels: options.keepModels,
    signal: context.signal,
    onStep: stepPrinter(reporter),
    onTraining: eventPrinter(reporter, false),
    onResults: async (soFar) => writeReport(folder.path, await report(soFar)),
  });
  reporter.settle();
  const final = { ...(await report(results)), elapsedMs: elapsed(results, performance.now() - started) };
  await writeReport(folder.path, final);
  reporter.record(final);
  sayReport(reporter, final);
  reporter.say(`Report: ${path.join(folder.path, 'report.md')} and report.json`);
}

async function reportHead(
  id: string,
  options: ProtocolOptions,
  request: BenchmarkRequest,
  protocol: Protocol,
  set: PublishedSet,
  plan: Plan,
  settings: Awaited<ReturnType<typeof settledFor>>,
  results: readonly UnitResult[],
): Promise<Omit<BenchmarkReport, 'experiments' | 'baselines' | 'complete'>> {
  const { deviations, openSwitches } = await import('../../benchmark/deviations.ts');
  const { machineFacts } = await import('../../benchmark/report.ts');
  const count = (split: string): number => set.pictures.filter((picture) => picture.split === split).length;
  return {
    formatVersion: 1,
    protocol: protocol.id,
    title: `${protocol.source.title} (protocol ${id})`,
    setting: request.setting,
    preset: request.preset,
    seeds: request.seeds,
    command: commandLine(id, options),
    meaningless: options.meaningless ?? null,
    data: {
      folders: options.data ?? [],
      classes: set.classes,
      train: count('train'),
      test: count('test'),
      published: protocol.source.published,
      licence: protocol.source.licence,
    },
    deviations: deviations({
      protocol,
      setting: request.setting,
      set,
      plan,
      preset: request.preset,
      ...(settings !== undefined && { settings }),
      changed: Object.keys(parseAssignments(options.set ?? [])),
      seeds: request.seeds,
      ...(options.steps !== undefined && { steps: options.steps }),
      instant: options.instant,
      ...(options.limit !== undefined && { limit: options.limit }),
      ...(options.classes !== undefined && { classesAsked: options.classes }),
      splitsAsked: request.splits,
      ...(options.backboneFile !== undefined && { backboneFile: options.backboneFile }),
      ...(options.cachePrecision !== undefined && { cachePrecision: options.cachePrecision }),
      pixels: options.withPixels,
    }),
    openSwitches: settings === undefined ? [] : openSwitches(settings),
    machine: machineFacts(packageJson.version, results[0]?.training.engine),
    elapsedMs: elapsed(results, 0),
  };
}

/** Trainings and measurements of all sittings; at least what this one took. */
function elapsed(results: readonly UnitResult[], thisRunMs: number): number {
  const trained = results.reduce((sum, { training }) => sum + training.elapsedMs, 0);
  const measured = results.reduce(
    (sum, { groups }) => sum + groups.reduce((all, { latenciesMs }) => all + latenciesMs.reduce((a, b) => a + b, 0), 0),
    0,
  );
  return Math.max(thisRunMs, trained + measured);
}

/** A paper preset's values as the first model gets them; undefined for the embedded preset. */
async function settledFor(request: BenchmarkRequest, options: ProtocolOptions, kind: 'general' | 'real-iad') {
  const { presets } = await import('../../nn/presets.ts');
  const preset = Object.hasOwn(presets, request.preset) ? presets[request.preset as keyof typeof presets] : undefined;
  if (preset === undefined) {
    const known = Object.keys(presets).join(', ');
    throw new UserError('presetUnknown', `There is no preset "${request.preset}".`, `Choose one of: ${known}.`);
  }
  if (preset.kind === 'embedded') return undefined;
  const { settlePaperPreset } = await import('../../training/paper-settings.ts');
  const classes = request.setting === 'single-class' ? 1 : 2;
  const assignments = paperAssignments(options);
  return settlePaperPreset(request.preset, { classes, kind }, assignments, options.steps).settings;
}

function withRow<Settings extends { objective: string; scoreRow: number }>(
  settings: Settings,
  { ablationRow }: Experiment,
): Settings {
  return ablationRow === undefined
    ? settings
    : { ...settings, objective: objectives[ablationRow - 1], scoreRow: ablationRow };
}

/** The paper learns from all normal pictures, so a protocol does too unless told otherwise. */
function paperAssignments({ set }: ProtocolOptions): Record<string, unknown> {
  return { learnFromAll: true, ...parseAssignments(set ?? []) };
}

function trainingRequest(
  preset: string,
  options: ProtocolOptions,
  { ablationRow }: Experiment,
  dataKind: 'general' | 'real-iad',
): Omit<TrainingRequest, 'dataDirs' | 'out' | 'seed' | 'resume'> {
  const settings = {
    ...paperAssignments(options),
    ...(ablationRow !== undefined && { objective: objectives[ablationRow - 1], scoreRow: ablationRow }),
  };
  return {
    preset,
    engine: options.engine,
    instant: options.instant,
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.steps !== undefined && { steps: options.steps }),
    ...(options.cacheDir !== undefined && { cacheDir: options.cacheDir }),
    ...(options.cachePrecision !== undefined && { cachePrecision: options.cachePrecision }),
    // What a person set goes along in any case: a preset that has no such setting refuses it.
    ...(preset === 'embedded' ? { settings: parseAssignments(options.set ?? []) } : { dataKind, settings }),
    ...(options.backboneFile !== undefined && { backboneFile: options.backboneFile }),
  };
}

/** Says where the run is: a line for each step, a bar for the pictures of a group. */
function stepPrinter(reporter: Reporter): (step: BenchmarkStep) => void {
  let shown: { title: string; progress: Progress; start: number } | undefined;
  return ({ kind, title, done, total, remainingMs, pictures }) => {
    if (kind === 'picture') {
      if (pictures === undefined) return;
      if (shown?.title !== title) {
        shown = { title, progress: reporter.progress('measure', pictures.total, 'pictures'), start: performance.now() };
      }
      const perPicture = (performance.now() - shown.start) / pictures.done;
      shown.progress.update(pictures.done, perPicture * (pictures.total - pictures.done));
      return;
    }
    shown = undefined;
    const words = { train: 'training', measure: 'measuring', skip: 'done before' }[kind];
    const left = remainingMs === undefined ? '' : `; about ${formatDuration(remainingMs)} left in all`;
    reporter.say(`[${done + 1}/${total}] ${title}: ${words}${kind === 'skip' ? '' : left}`);
  };
}

function sayReport(reporter: Reporter, { experiments, meaningless, baselines }: BenchmarkReport): void {
  if (meaningless !== null) reporter.say(`These figures mean nothing: ${meaningless}.`);
  const percent = (value: number | null | undefined): string =>
    value === null || value === undefined ? '-' : (100 * value).toFixed(2);
  for (const { title, rows, mean, paper } of experiments) {
    if (title !== '') reporter.say(title);
    const paperValue = paper === null || paper.value === null ? '-' : paper.value.toFixed(2);
    const line = (name: string, spread: { mean: number; sd: number | null } | null, last: string): string[] => [
      name,
      percent(spread?.mean),
      percent(spread?.sd),
      last,
      ...baselines.map(({ imageAuroc }) => percent(imageAuroc[name])),
    ];
    reporter.say(
      formatTable(
        ['class', 'AUROC', 'sd', 'paper', ...baselines.map(({ name }) => name)],
        [
          ...rows.map(({ name, metrics }) => line(name, metrics.imageAuroc, '-')),
          line('mean', mean.metrics.imageAuroc, paperValue),
        ],
      ),
    );
  }
}
