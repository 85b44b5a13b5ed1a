import { access, constants, rm } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';
import { openSafetensors } from '../backbones/safetensors-header.ts';
import { readWeight } from '../backbones/weight-tensor.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';

/** Reads one tensor of a state. */
export type ReadTensor = (name: string) => Promise<Float32Array>;

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
    try {
      await access(this.path, constants.R_OK);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw new UserError(
        'checkpointUnreadable',
        `The checkpoint ${this.path} can't be read.`,
        'Check that you may read it, or leave out --resume to start anew.',
        { cause: error },
      );
    }
    const { tensors, metadata } = await openSafetensors(this.path);
    const step = Number(metadata.get('step'));
    const fits =
      metadata.get('fingerprint') === this.#fingerprint &&
      Number.isInteger(step) &&
      step > 0 &&
      specs.every(({ name, shape }) => {
        const tensor = tensors.get(name);
        return tensor?.dtype === 'F32' && tensor.shape.join() === shape.join();
      });
    if (!fits) {
      throw new UserError(
        'checkpointForeign',
        `The checkpoint ${this.path} belongs to another training (other pictures, preset, seed or version).`,
        'Leave out --resume to start anew.',
      );
    }
    const state = new Map<string, Float32Array>();
    for (const { name } of specs) {
      const stored = tensors.get(name)!;
      state.set(name, await readWeight({ shape: stored.shape, pieces: [stored] }, name));
    }
    return { step, state };
  }

  /** Tensor by tensor: at full size a state is larger than any one buffer, and a copy of it gigabytes. */
  async write(step: number, specs: StateSpecs, read: ReadTensor): Promise<void> {
    const metadata = { step: String(step), fingerprint: this.#fingerprint };
    await writeFileAtomic(this.path, safetensorsPieces(specs, read, metadata));
  }

  /** Removes the file, once the model is written. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

/** A safetensors file of float32 tensors in their given order. */
async function* safetensorsPieces(
  specs: StateSpecs,
  read: ReadTensor,
  metadata: Readonly<Record<string, string>>,
): AsyncGenerator<Uint8Array> {
  let end = 0;
  const described = specs.map(({ name, shape }) => {
    const begin = end;
    end += shape.reduce((bytes, size) => bytes * size, Float32Array.BYTES_PER_ELEMENT);
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }] as const;
  });
  const json = Buffer.from(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(described) }));
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  yield length;
  yield padded;
  for (const { name } of specs) {
    const { buffer, byteOffset, byteLength } = await read(name);
    yield new Uint8Array(buffer, byteOffset, byteLength);
  }
}
