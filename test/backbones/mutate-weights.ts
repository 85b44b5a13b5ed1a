/** Damaged weight files by the thousand: mutations of sound ones, and what every reader must do with them. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openDinov2Weights } from '../../main/backbones/dinov2.ts';
import { namedTensors } from '../../main/backbones/pickle-values.ts';
import { parseSafetensorsFile } from '../../main/backbones/safetensors.ts';
import { seededTensors, writeSeededWeights } from '../../main/backbones/seeded-weights.ts';
import { pickleStateDict } from '../../main/backbones/torch-archive.ts';
import { readPickle } from '../../main/backbones/torch-pickle.ts';
import { readFile } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';

/** Mulberry32: numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes that mean something in one of the formats: pickle steps, JSON signs, edges of number ranges. */
const telling = [
  0x00, 0x01, 0x7f, 0x80, 0xff, 0x28, 0x29, 0x2e, 0x30, 0x4b, 0x52, 0x58, 0x5d, 0x61, 0x62, 0x63, 0x65, 0x68, 0x6a,
  0x71, 0x73, 0x74, 0x75, 0x7b, 0x7d, 0x81, 0x85, 0x86, 0x87, 0x8a, 0x8c, 0x8d, 0x93, 0x94, 0x95, 0x5b, 0x2c, 0x22,
];

/** One to four random changes of bytes within `[0, reach)`. */
export function mutate(bytes: Uint8Array, random: () => number, reach = bytes.length): Uint8Array {
  let out = bytes;
  const pick = (limit: number) => Math.floor(random() * limit);
  for (let left = 1 + pick(4); left > 0 && out.length > 0; left -= 1) {
    const at = pick(Math.min(reach, out.length));
    const length = Math.min(1 + pick(random() < 0.8 ? 8 : 400), out.length - at);
    const kind = pick(8);
    if (kind <= 2) {
      out = out.slice();
      out[at] = kind === 0 ? out[at]! ^ (1 << pick(8)) : kind === 1 ? telling[pick(telling.length)]! : pick(256);
    } else if (kind === 3) {
      out = concat(out.subarray(0, at), out.subarray(at + length));
    } else if (kind === 4) {
      out = concat(out.subarray(0, at), out.subarray(at, at + length), out.subarray(at));
    } else if (kind === 5) {
      out = concat(
        out.subarray(0, at),
        Uint8Array.from({ length }, () => telling[pick(telling.length)]!),
        out.subarray(at),
      );
    } else if (kind === 6) {
      const from = pick(out.length);
      out = concat(out.subarray(0, at), out.subarray(from, from + length), out.subarray(at + length));
    } else if (random() < 0.2) {
      out = out.slice(0, at);
    } else {
      // A number in the text, or bytes that stand for one, becomes huge.
      const huge = ['99999999999', '-1', '1e308', '0.5', '18446744073709551615'][pick(5)]!;
      out = concat(out.subarray(0, at), new TextEncoder().encode(huge), out.subarray(at + 1));
    }
  }
  return out;
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export interface FuzzResult {
  readonly tried: number;
  /** Refused with a message for the person. */
  readonly refused: number;
  /** Read all the same: the change did no harm, or none that shows. */
  readonly accepted: number;
  /** Anything else is a defect of the reader: what was thrown, with the number of the mutant. */
  readonly failures: string[];
  /** Longest time one file took, in milliseconds. */
  readonly slowestMs: number;
}

export type FuzzTarget = 'safetensors' | 'pickle' | 'archive';

/** Rounds of one target on the same seed always give the same files. `folder` is for whole archives. */
export async function fuzzWeights(
  target: FuzzTarget,
  rounds: number,
  seed: number,
  folder: string,
): Promise<FuzzResult> {
  const size = { embedDim: 8, depth: 2, storedGrid: 2 };
  const sound = path.join(folder, target === 'archive' ? 'sound.pth' : 'sound.safetensors');
  await writeSeededWeights(sound, { size });
  const file = new Uint8Array(await readFile(sound));
  const base = target === 'pickle' ? pickleStateDict(seededTensors({ size })) : file;
  const headerBytes =
    target === 'safetensors' ? 8 + Number(new DataView(file.buffer).getBigUint64(0, true)) : base.length;
  const broken = path.join(folder, 'broken.pth');

  const attempt = async (bytes: Uint8Array): Promise<void> => {
    if (target === 'safetensors') {
      const { tensors } = parseSafetensorsFile(bytes, 'broken', { rejectNonFinite: true });
      for (const [key, { shape, data }] of tensors) {
        if (shape.reduce((product, n) => product * n, 1) !== data.length) throw new Error(`${key} of another size`);
      }
    } else if (target === 'pickle') {
      for (const [key, tensor] of namedTensors(readPickle(bytes, 'broken'), 'broken')) {
        const last = tensor.shape.reduce((sum, n, axis) => sum + (n - 1) * tensor.strides[axis]!, tensor.offset);
        if (!tensor.shape.includes(0) && last >= tensor.storageSize) throw new Error(`${key} reaches out`);
      }
    } else {
      await writeFile(broken, bytes);
      await openDinov2Weights(broken, { customHeads: 2 });
    }
  };

  const random = seededRandom(seed);
  let [refused, accepted, slowestMs] = [0, 0, 0];
  const failures: string[] = [];
  for (let i = 0; i < rounds; i += 1) {
    // In archives the ends matter most: local headers, the pickle and the directory.
    const bytes =
      target === 'archive' && random() < 0.5
        ? mutate(base.slice().reverse(), random, 8000).reverse()
        : mutate(base, random, headerBytes);
    const start = performance.now();
    try {
      await attempt(bytes);
      accepted += 1;
    } catch (error) {
      if (error instanceof UserError) refused += 1;
      else failures.push(`${target} ${i}: ${String(error).slice(0, 200)}`);
    }
    slowestMs = Math.max(slowestMs, performance.now() - start);
  }
  return { tried: rounds, refused, accepted, failures, slowestMs };
}
