/** Golden vectors (test/fixtures/golden) as tensors, and comparison within the tolerance their manifest states. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { parseSafetensors, type Safetensor } from '../../main/backbones/safetensors.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import './cpu-backend.ts';

const folder = new URL('../fixtures/golden/', import.meta.url);

interface Manifest {
  files: Record<string, { tensors?: Record<string, { atol?: number }> }>;
  notes: { parameter_order: { own: string[]; shared: string[] } };
}

export const manifest = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as Manifest;

export function goldenJson<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(path, folder), 'utf8')) as T;
}

function toTensor({ data, shape }: Safetensor): Tensor {
  return tf.tensor(Float32Array.from(data, Number), [...shape], 'float32');
}

/** All tensors of one golden file, with a check against its own tolerances. */
export class Golden {
  readonly path: string;
  readonly stored: Map<string, Safetensor>;

  constructor(path: string) {
    this.path = path;
    this.stored = parseSafetensors(new Uint8Array(readFileSync(new URL(path, folder))), path);
  }

  names(): string[] {
    return [...this.stored.keys()];
  }

  values(name: string): number[] {
    const tensor = this.stored.get(name);
    if (tensor === undefined) throw new Error(`${this.path} has no '${name}'`);
    return Array.from(tensor.data as Float32Array, Number);
  }

  tensor(name: string): Tensor {
    const tensor = this.stored.get(name);
    if (tensor === undefined) throw new Error(`${this.path} has no '${name}'`);
    return toTensor(tensor);
  }

  /** Every tensor whose name starts with `prefix`, named without it. */
  params(prefix = ''): Record<string, Tensor> {
    const picked = [...this.stored].filter(([name]) => name.startsWith(prefix));
    return Object.fromEntries(picked.map(([name, tensor]) => [name.slice(prefix.length), toTensor(tensor)]));
  }

  atol(name: string): number {
    const atol = manifest.files[this.path]?.tensors?.[name]?.atol;
    if (atol === undefined) throw new Error(`no tolerance for ${this.path} '${name}'`);
    return atol;
  }

  /** Expects a tensor to have the golden shape and values, within the manifest's absolute tolerance. */
  check(name: string, actual: Tensor, shape?: readonly number[], atol = this.atol(name)): void {
    const expected = this.stored.get(name);
    if (expected === undefined) throw new Error(`${this.path} has no '${name}'`);
    expect(actual.shape, name).toEqual(shape ?? expected.shape);
    expect(largestDifference(actual.dataSync(), this.values(name)), `${name} differs by`).toBeLessThanOrEqual(atol);
  }
}

export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < actual.length; i += 1) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(difference)) return Infinity;
    largest = Math.max(largest, difference);
  }
  return largest;
}

/** `mini` model of the golden vectors. */
export const goldenConfig = {
  embedDim: 32,
  depth: 12,
  heads: 2,
  patch: 14,
  registers: 4,
  storedGrid: 5,
  targetLayers: [2, 3, 4, 5, 6, 7, 8, 9],
  decoderDepth: 8,
} as const;
