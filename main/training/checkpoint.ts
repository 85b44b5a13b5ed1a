import { readFile, rm } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';
import { parseSafetensorsFile, writeSafetensors } from '../backbones/safetensors.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';

/** State of a training step by name, after `step` steps. */
export interface SavedState {
  step: number;
  state: Map<string, Float32Array>;
}

/** Names and shapes that a state must have. */
export type StateSpecs = readonly { readonly name: string; readonly shape: readonly number[] }[];

/**
 * The one checkpoint file of a run, replaced atomically. It belongs to exactly one request: another normal set, preset
 * or seed has another fingerprint and never goes on from it.
 */
export class Checkpoint {
  readonly path: string;
  readonly #fingerprint: string;
  /** Whether an existing file may be gone on from. */
  readonly resume: boolean;

  /** @param resume whether an existing file may be gone on from; else it's ignored and replaced */
  constructor(path: string, fingerprint: string, resume: boolean) {
    this.path = path;
    this.#fingerprint = fingerprint;
    this.resume = resume;
  }

  /**
   * @returns the saved state, or undefined where there is none to go on from
   * @throws UserError `checkpointForeign` when the file belongs to another request; `checkpointUnreadable`;
   *   `safetensorsInvalid` when damaged
   */
  async read(specs: StateSpecs): Promise<SavedState | undefined> {
    if (!this.resume) return undefined;
    let bytes: Uint8Array;
    try {
      bytes = await readFile(this.path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw new UserError(
        'checkpointUnreadable',
        `The checkpoint ${this.path} can't be read.`,
        'Check that you may read it, or leave out --resume to start anew.',
        { cause: error },
      );
    }
    const { tensors, metadata } = parseSafetensorsFile(bytes, this.path, { rejectNonFinite: true });
    const step = Number(metadata.get('step'));
    const fits =
      metadata.get('fingerprint') === this.#fingerprint &&
      Number.isInteger(step) &&
      step > 0 &&
      specs.every(({ name, shape }) => {
        const tensor = tensors.get(name);
        return tensor?.data instanceof Float32Array && tensor.shape.join() === shape.join();
      });
    if (!fits) {
      throw new UserError(
        'checkpointForeign',
        `The checkpoint ${this.path} belongs to another training (other pictures, preset, seed or version).`,
        'Leave out --resume to start anew.',
      );
    }
    return { step, state: new Map(specs.map(({ name }) => [name, tensors.get(name)!.data as Float32Array])) };
  }

  async write({ step, state }: SavedState, specs: StateSpecs): Promise<void> {
    const tensors = specs.map(({ name, shape }) => [name, { shape, data: state.get(name)! }] as const);
    await writeFileAtomic(this.path, writeSafetensors(tensors, { step: String(step), fingerprint: this.#fingerprint }));
  }

  /** Removes the file, once the model is written. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}
