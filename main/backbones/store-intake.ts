/** What fetching and importing share: looking at weights before they count, and keeping two runs apart. */
import * as nodeFs from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { writeError } from '../system/atomic-file.ts';
import { dinov2Sizes, openDinov2Weights, type Dinov2Size } from './dinov2.ts';
import type { BackboneEntry, BackboneRegistry, ExternalBackbone } from './registry.ts';
import { backboneFolder } from './store.ts';
import { readWeight, Scratch } from './weight-tensor.ts';

/** What a look at a weight file tells. */
export interface WeightFacts {
  naming: string;
  /** The file in words, for the person. */
  statement: string;
  size: Dinov2Size | 'custom';
  registers: number;
  /** The file to open: the only one, or the index of the shards. */
  path: string;
  /** Files that hold numbers: one, or the shards. */
  files: readonly string[];
}

/**
 * Looks at a weight file, its numbers included: one that is no number would only be found when a training has begun.
 * @throws UserError as `openDinov2Weights` and `readWeight`; `backboneMismatch` when it isn't what `entry` is
 */
export type Identify = (file: string, entry: BackboneEntry | undefined) => Promise<WeightFacts>;

/** {@link Identify} for real. */
export async function identifyWeights(file: string, entry: BackboneEntry | undefined): Promise<WeightFacts> {
  const architecture = entry?.architecture;
  if (architecture !== undefined && architecture.family !== 'dinov2') {
    throw new UserError(
      'backboneMismatch',
      `"${entry!.id}" comes with Twinspect: there is nothing to fetch or import.`,
      'Run: twinspect backbone verify',
    );
  }
  const size = architecture && sizeOf(architecture.embedDim);
  const expected =
    architecture === undefined
      ? {}
      : { id: entry!.id, registers: architecture.registers, ...(size !== undefined && { size }) };
  const { tensors, naming, statement, size: found, registers, path, files } = await openDinov2Weights(file, expected);
  const scratch = new Scratch();
  for (const [name, tensor] of tensors) {
    scratch.reset();
    await readWeight(tensor, name, scratch.take);
  }
  return { naming, statement, size: found, registers, path, files };
}

/**
 * The backbone that a file's weights are.
 * @throws UserError `backboneUnknown` when the registry has none like it
 */
export function backboneOf(registry: BackboneRegistry, facts: WeightFacts): ExternalBackbone {
  const entry = registry.backbones.find(
    (backbone): backbone is ExternalBackbone =>
      !backbone.bundled &&
      backbone.architecture.family === 'dinov2' &&
      sizeOf(backbone.architecture.embedDim) === facts.size &&
      backbone.architecture.registers === facts.registers,
  );
  if (entry === undefined) {
    throw new UserError('backboneUnknown', `No backbone of the registry is like this file: ${facts.statement}.`);
  }
  return entry;
}

function sizeOf(embedDim: number): Dinov2Size | undefined {
  return (Object.keys(dinov2Sizes) as Dinov2Size[]).find((size) => dinov2Sizes[size].embedDim === embedDim);
}

/**
 * Runs `work` while nobody else changes this backbone's folder; the folder is made.
 * @throws UserError `backboneBusy`; as `writeFileAtomic` when the folder can't be written
 */
export async function withBackboneLock<T>(store: string, id: string, work: () => Promise<T>): Promise<T> {
  const folder = backboneFolder(store, id);
  const lock = path.join(folder, 'lock');
  try {
    await nodeFs.mkdir(folder, { recursive: true });
    await takeLock(lock, id);
  } catch (error) {
    throw writeError(lock, error);
  }
  try {
    return await work();
  } finally {
    await nodeFs.rm(lock, { force: true });
  }
}

async function takeLock(lock: string, id: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await nodeFs.writeFile(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const owner = Number(await nodeFs.readFile(lock, 'utf8').catch(() => ''));
      // Killed processes leave their lock.
      const stale = Number.isInteger(owner) && owner > 0 && (owner === process.pid || !isAlive(owner));
      if (attempt > 0 || !stale) {
        throw new UserError(
          'backboneBusy',
          `Another twinspect is fetching or importing "${id}" at the moment.`,
          `Wait for it. If there is none, delete ${lock}.`,
        );
      }
      await nodeFs.rm(lock, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
