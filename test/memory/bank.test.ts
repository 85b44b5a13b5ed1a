import { describe, expect, it } from 'vitest';
import { UserError } from '../../shared/errors.ts';
import { matrixOf } from '../../shared/linear-algebra.ts';
import { deserializeMemory, serializeMemory, type MemoryTensor, type NormalMemory } from '../../main/memory/bank.ts';
import { standardise } from '../../main/memory/calibrate.ts';
import { fitClassInference } from '../../main/memory/class-inference.ts';
import { createCandidateCollector } from '../../main/memory/coreset.ts';
import { fitGaussians, halfLog } from '../../main/memory/gaussian.ts';
import { createLeaveOneOut } from '../../main/memory/leave-one-out.ts';
import { randomMatrix, rows, search } from './reference.ts';

/** A whole memory as a training run makes it, of tiny pictures. */
function memoryOf(classCount: number, pictures: number): NormalMemory {
  const bank = (dims: number, tokens: number) => {
    const collector = createCandidateCollector(dims, dims);
    const all = Array.from({ length: classCount * pictures }, (_, i) =>
      randomMatrix(tokens, dims, i, 1, i % classCount),
    );
    all.forEach((picture, i) => collector.add(picture, i % classCount, i));
    const coreset = collector.build({ size: 64 });
    const statistics = createLeaveOneOut(coreset.entryClass, classCount);
    all.forEach((picture, i) => {
      const { distances, chosen } = search(rows(picture), rows(coreset.vectors), coreset.entryPicture, i);
      statistics.add(i % classCount, distances, chosen);
    });
    return { ...coreset, ...statistics.finish() };
  };
  const globals = Array.from({ length: classCount }, (_, c) => randomMatrix(pictures, 10, 50 + c, 1, c));
  const { gaussians, leaveOneOut } = fitGaussians(globals);
  return {
    deep: bank(9, 16),
    fine: bank(5, 36),
    gaussians,
    classInference: fitClassInference(globals),
    localScore: standardise(globals.map(() => [])),
    globalScore: standardise(leaveOneOut.map((distances) => Float64Array.from(distances, halfLog))),
  };
}

/** What a file keeps: every number in 32 bits. */
function rounded(memory: NormalMemory): unknown {
  const shorten = (value: unknown): unknown => {
    if (typeof value === 'number') return Math.fround(value);
    if (value instanceof Float64Array || value instanceof Float32Array || value instanceof Int32Array) {
      return Array.from(value, Math.fround);
    }
    if (Array.isArray(value)) return value.map(shorten);
    return Object.fromEntries(Object.entries(value as object).map(([key, inner]) => [key, shorten(inner)]));
  };
  return shorten(memory);
}

describe('serializeMemory', () => {
  it.each([
    [2, 4],
    [3, 20],
    [1, 1],
    [2, 1],
  ])('survives the round trip: %i classes of %i pictures', (classes, pictures) => {
    const memory = memoryOf(classes, pictures);
    const tensors = serializeMemory(memory);
    for (const [name, { shape, data }] of Object.entries(tensors)) {
      expect(
        shape.reduce((product, n) => product * n, 1),
        name,
      ).toBe(data.length);
      expect(data.every(Number.isFinite), name).toBe(true);
    }
    expect(rounded(deserializeMemory(tensors))).toEqual(rounded(memory));
  });
});

describe('deserializeMemory', () => {
  const good = serializeMemory(memoryOf(2, 3));
  const broken = (name: string, tensor: MemoryTensor | undefined) => {
    const tensors: Record<string, MemoryTensor> = { ...good };
    if (tensor === undefined) Reflect.deleteProperty(tensors, name);
    else tensors[name] = tensor;
    return () => deserializeMemory(tensors);
  };
  const changed = (name: string, at: number, value: number): MemoryTensor => {
    const data = good[name]!.data.slice();
    data[at] = value;
    return { shape: good[name]!.shape, data };
  };

  it('names every tensor that is missing', () => {
    for (const name of Object.keys(good)) {
      expect(broken(name, undefined), name).toThrow(`"${name}" is missing`);
      expect(broken(name, undefined), name).toThrow(UserError);
    }
  });

  it('names every tensor of another shape or length', () => {
    for (const [name, { shape, data }] of Object.entries(good)) {
      expect(broken(name, { shape: [...shape, 1], data }), name).toThrow(`"${name}" has shape`);
      expect(broken(name, { shape, data: data.slice(1) }), name).toThrow(`"${name}" holds`);
    }
  });

  it('refuses numbers that are not finite, not positive or out of range', () => {
    expect(broken('deep.vectors', changed('deep.vectors', 5, NaN))).toThrow('"deep.vectors" has NaN at position 5');
    expect(broken('fine.entryVariance', changed('fine.entryVariance', 0, 0))).toThrow('not positive');
    expect(broken('fine.entryClass', changed('fine.entryClass', 0, 2))).toThrow('out of range');
    expect(broken('deep.entryPicture', changed('deep.entryPicture', 0, -1))).toThrow('out of range');
    expect(broken('gaussian.rank', changed('gaussian.rank', 0, 11))).toThrow('out of range');
    expect(broken('gaussian.rank', changed('gaussian.rank', 0, 1))).toThrow('"gaussian.factor" has shape');
    expect(broken('score.localSd', changed('score.localSd', 1, -1))).toThrow('not positive');
    const { shape } = good['deep.vectors']!;
    const ints = new Int32Array(good['deep.vectors']!.data.length);
    expect(broken('deep.vectors', { shape, data: ints })).toThrow('not of 32-bit floats');
    const floats = Float32Array.from(good['deep.entryClass']!.data);
    expect(broken('deep.entryClass', { shape: good['deep.entryClass']!.shape, data: floats })).toThrow('integers');
  });

  it('is not fooled by names that every object has', () => {
    expect(() => deserializeMemory({})).toThrow('is missing');
    expect(broken('deep.vectors', { shape: [0, 9], data: matrixOf(0, 9).data })).toThrow(UserError);
  });
});
