import { UserError } from '../../shared/errors.ts';
import { matrixOf, type Matrix } from '../../shared/linear-algebra.ts';
import type { Standardisation } from './calibrate.ts';
import type { ClassInference } from './class-inference.ts';
import type { Coreset } from './coreset.ts';
import type { Gaussian } from './gaussian.ts';
import type { LocalStatistics } from './leave-one-out.ts';

/** One bank of normal patch features, K entries of D dimensions, with its leave-one-out statistics. */
export interface MemoryBank extends Coreset, LocalStatistics {}

/** The third expert, ready to score: all classes in one. */
export interface NormalMemory {
  deep: MemoryBank;
  fine: MemoryBank;
  /** One per class, over the global vector. */
  gaussians: Gaussian[];
  classInference: ClassInference;
  /** z_L and z_G. */
  localScore: Standardisation;
  globalScore: Standardisation;
}

/** Row-major tensor as it lies in a safetensors file. */
export interface MemoryTensor {
  shape: number[];
  data: Float32Array | Int32Array;
}

/** Names tensors `deep.vectors`, `gaussian.factor` and so on; the Gaussians' factors are stacked row on row. */
export function serializeMemory(memory: NormalMemory): Record<string, MemoryTensor> {
  const { gaussians, classInference } = memory;
  const p = gaussians[0]?.mean.length ?? 0;
  const perClass = (value: (gaussian: Gaussian) => number): MemoryTensor =>
    vector(Float32Array.from(gaussians, (gaussian) => value(gaussian)));
  return {
    ...serializeBank('deep', memory.deep),
    ...serializeBank('fine', memory.fine),
    'gaussian.mean': { shape: [gaussians.length, p], data: joined(gaussians.map(({ mean }) => mean)) },
    'gaussian.factor': {
      shape: [gaussians.reduce((sum, { factor }) => sum + factor.rows, 0), p],
      data: joined(gaussians.map(({ factor }) => factor.data)),
    },
    'gaussian.rank': vector(Int32Array.from(gaussians, ({ factor }) => factor.rows)),
    'gaussian.count': vector(Int32Array.from(gaussians, ({ count }) => count)),
    'gaussian.sign': vector(Int32Array.from(gaussians, ({ sign }) => sign)),
    'gaussian.isotropic': perClass(({ isotropic }) => isotropic),
    'gaussian.shrinkage': perClass(({ shrinkage }) => shrinkage),
    'gaussian.meanVariance': perClass(({ meanVariance }) => meanVariance),
    'class.origin': vector(classInference.origin),
    'class.whitening': matrix(classInference.whitening),
    'class.centres': matrix(classInference.centres),
    'score.localMean': vector(memory.localScore.mean),
    'score.localSd': vector(memory.localScore.sd),
    'score.globalMean': vector(memory.globalScore.mean),
    'score.globalSd': vector(memory.globalScore.sd),
  };
}

/**
 * Reads what `serializeMemory` wrote, trusting nothing.
 * @throws UserError `memoryInvalid` naming the tensor that is missing, misshaped, not finite or out of range
 */
export function deserializeMemory(tensors: Readonly<Record<string, MemoryTensor>>): NormalMemory {
  const read = createReader(tensors);
  const means = read.matrix('gaussian.mean');
  const classes = means.rows;
  const p = means.cols;
  const rank = read.ints('gaussian.rank', classes, 0, p);
  const factors = read.matrix(
    'gaussian.factor',
    rank.reduce((sum, rows) => sum + rows, 0),
    p,
  );
  const count = read.ints('gaussian.count', classes, 1);
  const sign = read.ints('gaussian.sign', classes, -1, 1);
  const isotropic = read.floats('gaussian.isotropic', classes);
  const shrinkage = read.floats('gaussian.shrinkage', classes);
  const meanVariance = read.floats('gaussian.meanVariance', classes);
  let row = 0;
  const gaussians = Array.from(rank, (rows, c): Gaussian => {
    const data = factors.data.slice(row * p, (row + rows) * p);
    row += rows;
    return {
      mean: means.data.slice(c * p, (c + 1) * p),
      count: count[c]!,
      shrinkage: shrinkage[c]!,
      meanVariance: meanVariance[c]!,
      isotropic: isotropic[c]!,
      sign: sign[c]! < 0 ? -1 : 1,
      factor: matrixOf(rows, p, data),
    };
  });
  const origin = read.floats('class.origin');
  return {
    deep: readBank('deep', read, classes),
    fine: readBank('fine', read, classes),
    gaussians,
    classInference: {
      origin,
      whitening: read.matrix('class.whitening', origin.length, origin.length),
      centres: read.matrix('class.centres', classes, origin.length),
    },
    localScore: { mean: read.floats('score.localMean', classes), sd: read.positive('score.localSd', classes) },
    globalScore: { mean: read.floats('score.globalMean', classes), sd: read.positive('score.globalSd', classes) },
  };
}

function serializeBank(name: string, bank: MemoryBank): Record<string, MemoryTensor> {
  return {
    [`${name}.vectors`]: matrix(bank.vectors),
    [`${name}.entryClass`]: vector(bank.entryClass),
    [`${name}.entryPicture`]: vector(bank.entryPicture),
    [`${name}.entryMean`]: vector(bank.entryMean),
    [`${name}.entryVariance`]: vector(bank.entryVariance),
    [`${name}.classMean`]: vector(bank.classMean),
    [`${name}.classVariance`]: vector(bank.classVariance),
  };
}

function readBank(name: string, read: TensorReader, classes: number): MemoryBank {
  const vectors = read.matrix(`${name}.vectors`);
  return {
    vectors,
    entryClass: read.ints(`${name}.entryClass`, vectors.rows, 0, classes - 1),
    entryPicture: read.ints(`${name}.entryPicture`, vectors.rows, 0),
    entryMean: read.floats(`${name}.entryMean`, vectors.rows),
    entryVariance: read.positive(`${name}.entryVariance`, vectors.rows),
    classMean: read.floats(`${name}.classMean`, classes),
    classVariance: read.positive(`${name}.classVariance`, classes),
  };
}

interface TensorReader {
  matrix(name: string, rows?: number, cols?: number): Matrix;
  floats(name: string, length?: number): Float32Array;
  positive(name: string, length: number): Float32Array;
  ints(name: string, length: number, least: number, most?: number): Int32Array;
}

function createReader(tensors: Readonly<Record<string, MemoryTensor>>): TensorReader {
  const fail = (name: string, what: string): never => {
    throw new UserError('memoryInvalid', `The normal memory's tensor "${name}" ${what}.`, 'Train the model again.');
  };
  const get = (name: string, shape: readonly (number | undefined)[]): MemoryTensor => {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (tensor === undefined) return fail(name, 'is missing');
    const fits =
      tensor.shape.length === shape.length && shape.every((n, i) => n === undefined || n === tensor.shape[i]);
    const wanted = shape.map((n) => n ?? 'any').join(', ');
    if (!fits) return fail(name, `has shape [${tensor.shape.join(', ')}] instead of [${wanted}]`);
    if (tensor.data.length !== tensor.shape.reduce((product, n) => product * n, 1)) {
      return fail(name, `holds ${tensor.data.length} numbers, not what its shape says`);
    }
    return tensor;
  };
  const finite = (name: string, data: MemoryTensor['data']): Float32Array => {
    if (!(data instanceof Float32Array)) return fail(name, 'is not of 32-bit floats');
    const bad = data.findIndex((value) => !Number.isFinite(value));
    return bad < 0 ? data : fail(name, `has ${data[bad]} at position ${bad}`);
  };
  const floats = (name: string, length?: number): Float32Array => finite(name, get(name, [length]).data);
  return {
    floats,
    matrix(name, rows, cols) {
      const { shape, data } = get(name, [rows, cols]);
      return matrixOf(shape[0]!, shape[1]!, finite(name, data));
    },
    positive(name, length) {
      const data = floats(name, length);
      return data.every((value) => value > 0) ? data : fail(name, 'has values that are not positive');
    },
    ints(name, length, least, most = Infinity) {
      const { data } = get(name, [length]);
      if (!(data instanceof Int32Array)) return fail(name, 'is not of 32-bit integers');
      return data.every((value) => value >= least && value <= most) ? data : fail(name, 'has values out of range');
    },
  };
}

function matrix({ rows, cols, data }: Matrix): MemoryTensor {
  return { shape: [rows, cols], data };
}

function vector(data: Float32Array | Int32Array): MemoryTensor {
  return { shape: [data.length], data };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
