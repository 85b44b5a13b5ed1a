import type { TrainingEvent } from '../../shared/training-events.ts';
import { writeJsonAtomic } from '../system/atomic-file.ts';
import type { Detector } from '../detector/detector.ts';
import type { Picture, PreparedPicture } from '../pictures/picture.ts';
import type { TrainingRequest, TrainingSummary } from '../training/request.ts';
import { measureGroup, type GroupResult } from './measure.ts';
import type { Plan, Unit } from './plan.ts';
import type { RunFolder, TrainingFacts } from './run-folder.ts';

/** What a benchmark needs of the rest of the program; tests put in their own. */
export interface BenchmarkParts {
  trainModel(
    request: TrainingRequest,
    onEvent: (event: TrainingEvent) => void,
    signal: AbortSignal,
  ): Promise<TrainingSummary>;
  openDetector(modelPath: string): Promise<Detector>;
  readPicture(path: string): Promise<Picture>;
  prepare(picture: Picture, size: number): PreparedPicture;
  /** Numbers in a model's graph; null where they can't be counted. */
  countNumbers(modelPath: string): Promise<number | null>;
}

export interface BenchmarkRun {
  plan: Plan;
  folder: RunFolder;
  parts: BenchmarkParts;
  /** The request of a unit's training; pictures, seed and paths are filled in here. */
  requestOf(unit: Unit): Omit<TrainingRequest, 'dataDirs' | 'out' | 'seed' | 'resume'>;
  pixels: boolean;
  /** @see MeasureOptions.crop */
  crop?: number;
  kinds?: readonly string[];
  /** @see MeasureOptions.spro */
  spro?: boolean;
  keepModels: boolean;
  signal: AbortSignal;
  onStep(step: BenchmarkStep): void;
  onTraining(event: TrainingEvent): void;
  /** After every group, with all there is so far. */
  onResults(results: readonly UnitResult[]): Promise<void>;
}

/** Where the whole run is. */
export interface BenchmarkStep {
  kind: 'train' | 'measure' | 'picture' | 'skip';
  title: string;
  /** Trainings and groups finished, of all. */
  done: number;
  total: number;
  /** Estimate for everything that is left; undefined until there is one. */
  remainingMs: number | undefined;
  /** Test pictures of the present group, with `picture`. */
  pictures?: { done: number; total: number };
}

export interface UnitResult {
  unit: Unit;
  training: TrainingFacts;
  groups: GroupResult[];
}

/**
 * Trains and measures what is missing, unit by unit. Everything finished is on the disk before the next begins.
 * @returns the results of all units, those of earlier runs included
 * @throws UserError as training and measuring; the signal's reason
 */
export async function runBenchmark(run: BenchmarkRun): Promise<UnitResult[]> {
  const { plan, folder, parts, signal } = run;
  const results: UnitResult[] = [];
  const clock = new RunClock(plan);
  for (const unit of plan.units) {
    signal.throwIfAborted();
    const known = await readUnit(folder, unit);
    let training = known.training;
    const missing = unit.groups.filter(({ name }) => !known.groups.has(name));
    const groups = new Map(known.groups);
    const result = (): UnitResult => ({
      unit,
      training: training!,
      groups: unit.groups.flatMap(({ name }) => groups.get(name) ?? []),
    });
    if (training !== undefined && missing.length === 0) {
      clock.trained(unit, training);
      for (const group of known.groups.values()) clock.measured(unit, group.name, timeOf(group));
      run.onStep({ kind: 'skip', title: unit.title, ...clock.state() });
      results.push(result());
      // A run that was killed between the last group and this.
      if (!run.keepModels) await folder.removeModel(unit.key);
      continue;
    }
    if (training === undefined || !(await folder.hasModel(unit.key))) {
      run.onStep({ kind: 'train', title: unit.title, ...clock.state() });
      training = await train(run, unit);
    }
    clock.trained(unit, training);
    for (const group of known.groups.values()) clock.measured(unit, group.name, timeOf(group));
    const detector = await parts.openDetector(folder.modelPath(unit.key));
    try {
      for (const group of missing) {
        const title = unit.groups.length > 1 ? `${unit.title}: ${group.name}` : unit.title;
        run.onStep({ kind: 'measure', title, ...clock.state() });
        const start = performance.now();
        const measured = await measureGroup(group, {
          detector,
          readPicture: (path) => parts.readPicture(path),
          prepare: (picture, size) => parts.prepare(picture, size),
          pixels: run.pixels,
          ...(run.crop !== undefined && { crop: run.crop }),
          ...(run.kinds !== undefined && { kinds: run.kinds }),
          spro: run.spro === true,
          signal,
          onProgress: (done, total) =>
            run.onStep({ kind: 'picture', title, ...clock.state(), pictures: { done, total } }),
        });
        await folder.writeGroup(unit.key, measured);
        clock.measured(unit, group.name, performance.now() - start);
        groups.set(group.name, measured);
        await run.onResults([...results, result()]);
      }
    } finally {
      await detector.close();
    }
    results.push(result());
    if (!run.keepModels) await folder.removeModel(unit.key);
  }
  await run.onResults(results);
  return results;
}

async function readUnit(
  folder: RunFolder,
  unit: Unit,
): Promise<{ training: TrainingFacts | undefined; groups: Map<string, GroupResult> }> {
  const training = await folder.readTraining(unit.key);
  const groups = new Map<string, GroupResult>();
  if (training === undefined) return { training, groups };
  for (const { name } of unit.groups) {
    const result = await folder.readGroup(unit.key, name);
    if (result !== undefined) groups.set(name, result);
  }
  return { training, groups };
}

async function train(run: BenchmarkRun, unit: Unit): Promise<TrainingFacts> {
  const { folder, parts, signal } = run;
  const list = unit.train.map(({ path, className, split }) => ({ path, class: className, split, label: 'good' }));
  await writeJsonAtomic(folder.listPath(unit.key), list);
  const out = folder.modelPath(unit.key);
  const request: TrainingRequest = {
    ...run.requestOf(unit),
    dataDirs: [folder.listPath(unit.key)],
    seed: unit.seed,
    out,
    // Where a killed run left a checkpoint of this unit.
    resume: await folder.hasCheckpoint(unit.key),
  };
  const { modelHash, classes, elapsedMs, phases, engine } = await parts.trainModel(request, run.onTraining, signal);
  const graphNumbers = await parts.countNumbers(out);
  const facts: TrainingFacts = { modelHash, classes, elapsedMs, phases, engine, graphNumbers };
  await folder.writeTraining(unit.key, facts);
  return facts;
}

/** What an earlier sitting needed to measure a group, without reading the pictures. */
function timeOf({ latenciesMs }: GroupResult): number {
  return latenciesMs.reduce((sum, ms) => sum + ms, 0);
}

/** Estimates what is left from what the finished parts took. */
class RunClock {
  readonly #units: readonly Unit[];
  readonly #trained = new Set<string>();
  readonly #groups = new Set<string>();
  #trainMs = 0;
  #trainings = 0;
  #measureMs = 0;
  #measuredPictures = 0;

  constructor({ units }: Plan) {
    this.#units = units;
  }

  trained(unit: Unit, { elapsedMs }: TrainingFacts): void {
    if (this.#trained.has(unit.key)) return;
    this.#trained.add(unit.key);
    this.#trainMs += elapsedMs;
    this.#trainings++;
  }

  measured(unit: Unit, group: string, elapsedMs: number): void {
    this.#groups.add(`${unit.key}/${group}`);
    this.#measureMs += elapsedMs;
    this.#measuredPictures += unit.groups.find(({ name }) => name === group)?.pictures.length ?? 0;
  }

  state(): Pick<BenchmarkStep, 'done' | 'total' | 'remainingMs'> {
    let total = 0;
    let trainings = 0;
    let pictures = 0;
    for (const unit of this.#units) {
      total += 1 + unit.groups.length;
      if (!this.#trained.has(unit.key)) trainings++;
      for (const group of unit.groups) {
        if (!this.#groups.has(`${unit.key}/${group.name}`)) pictures += group.pictures.length;
      }
    }
    const known = (trainings === 0 || this.#trainings > 0) && (pictures === 0 || this.#measuredPictures > 0);
    const remainingMs = known
      ? (trainings * this.#trainMs) / Math.max(1, this.#trainings) +
        (pictures * this.#measureMs) / Math.max(1, this.#measuredPictures)
      : undefined;
    return { done: this.#trained.size + this.#groups.size, total, remainingMs };
  }
}
