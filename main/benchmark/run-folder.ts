import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import { removeLeftovers, writeFileAtomic, writeJsonAtomic } from '../system/atomic-file.ts';
import { metricNames, type GroupResult } from './measure.ts';
import type { Baseline } from './report.ts';

const runSchema = z.object({
  formatVersion: z.literal(1),
  protocol: z.string(),
  fingerprint: z.string(),
  startedAt: z.string(),
});

/** What one training took. */
export const trainingSchema = z.object({
  modelHash: z.string(),
  classes: z.array(z.string()),
  elapsedMs: z.number(),
  phases: z.array(z.object({ phase: z.string(), elapsedMs: z.number() })),
  engine: z.object({ engine: z.string(), provider: z.string(), threads: z.number(), mode: z.string() }),
  /** Numbers in the model's graph: backbone, students, memory; null where it wasn't counted. */
  graphNumbers: z.number().nullable(),
});
export type TrainingFacts = z.infer<typeof trainingSchema>;

const number = z.number().nullable();
const groupSchema = z.object({
  name: z.string(),
  images: z.int(),
  defects: z.int(),
  metrics: z.object(Object.fromEntries(metricNames.map((name) => [name, number]))),
  byKind: z.record(z.string(), number),
  latenciesMs: z.array(z.number()),
  pictures: z.array(z.unknown()),
});

const baselinesFile = path.join('results', 'baselines.json');
const baselinesSchema = z.array(z.object({ name: z.string(), imageAuroc: z.record(z.string(), number) }));

/**
 * The folder of one benchmark: every finished training and every finished group is a file of its own, written
 * atomically. A run that was killed goes on with the first that is missing.
 */
export class RunFolder {
  readonly path: string;

  private constructor(folder: string) {
    this.path = folder;
  }

  /**
   * Opens a folder for a run with this plan.
   * @throws UserError `runThere` when it holds a run and `resume` is not asked for, `runForeign` when that run had
   *   another plan
   */
  static async open(
    folder: string,
    { protocol, fingerprint, resume }: { protocol: string; fingerprint: string; resume: boolean },
  ): Promise<RunFolder> {
    const run = new RunFolder(path.resolve(folder));
    await mkdir(run.path, { recursive: true });
    await removeLeftovers(run.path, 0);
    const file = path.join(run.path, 'run.json');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) {
      let json: unknown;
      try {
        json = JSON.parse(text);
      } catch {
        json = undefined;
      }
      const known = runSchema.safeParse(json).data;
      if (!resume) {
        throw new UserError(
          'runThere',
          `"${run.path}" holds a benchmark already.`,
          'Go on with it with --resume, or choose another folder with --out.',
        );
      }
      if (known?.protocol !== protocol || known.fingerprint !== fingerprint) {
        throw new UserError(
          'runForeign',
          `The benchmark in "${run.path}" is another one (other data, preset, seeds or settings).`,
          'Repeat its command exactly, or choose another folder with --out.',
        );
      }
      return run;
    }
    const startedAt = new Date().toISOString();
    await writeJsonAtomic(file, { formatVersion: 1, protocol, fingerprint, startedAt });
    return run;
  }

  modelPath(unit: string): string {
    return path.join(this.path, 'models', `${unit}.twin`);
  }

  listPath(unit: string): string {
    return path.join(this.path, 'lists', `${unit}.json`);
  }

  hasModel(unit: string): Promise<boolean> {
    return isThere(this.modelPath(unit));
  }

  /** Whether a training was stopped on the way, see `Checkpoint`. */
  hasCheckpoint(unit: string): Promise<boolean> {
    return isThere(`${this.modelPath(unit)}.checkpoint`);
  }

  async readTraining(unit: string): Promise<TrainingFacts | undefined> {
    return this.#read(path.join('results', unit, 'training.json'), trainingSchema);
  }

  async writeTraining(unit: string, facts: TrainingFacts): Promise<void> {
    await writeJsonAtomic(path.join(this.path, 'results', unit, 'training.json'), facts);
  }

  async readGroup(unit: string, group: string): Promise<GroupResult | undefined> {
    const found = await this.#read(path.join('results', unit, groupFile(group)), groupSchema);
    return found as GroupResult | undefined;
  }

  async writeGroup(unit: string, result: GroupResult): Promise<void> {
    // One line: there may be thousands of pictures.
    const file = path.join(this.path, 'results', unit, groupFile(result.name));
    await writeFileAtomic(file, `${JSON.stringify(result)}\n`);
  }

  /** Other methods' figures, which belong to the plan as well. */
  readBaselines(): Promise<Baseline[] | undefined> {
    return this.#read(baselinesFile, baselinesSchema);
  }

  async writeBaselines(baselines: readonly Baseline[]): Promise<void> {
    await writeJsonAtomic(path.join(this.path, baselinesFile), baselines);
  }

  async removeModel(unit: string): Promise<void> {
    await rm(this.modelPath(unit), { force: true });
    const folder = path.join(this.path, 'models');
    const left = await readdir(folder).catch(() => ['?']);
    if (left.length === 0) await rm(folder, { recursive: true, force: true });
  }

  /** A file that is missing or torn counts as not there: its work is done again. */
  async #read<Schema extends z.ZodType>(name: string, schema: Schema): Promise<z.infer<Schema> | undefined> {
    const text = await readFile(path.join(this.path, name), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return schema.safeParse(JSON.parse(text)).data;
    } catch {
      return undefined;
    }
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function groupFile(group: string): string {
  return `group-${group.replaceAll(/[^\w.-]/g, '_')}.json`;
}
