import type { Matrix } from '../../shared/linear-algebra.ts';
import type { Standardisation } from '../memory/calibrate.ts';
import type { Gaussian } from '../memory/gaussian.ts';
import type { LocalStatistics } from '../memory/leave-one-out.ts';
import { blockEntries, type SearchIndex } from '../memory/search-bank.ts';
import type { DefectHeadTensors, MemoryTensors, ScoreScale } from '../nn/embedded-detector.ts';
import type { ExactBank, SearchBank } from '../nn/memory-search.ts';
import type { BankStatistics, GaussianBundle } from '../nn/normal-memory.ts';
import { tf } from '../nn/tf.ts';
import type { DefectHeads, FittedMemory } from './fitted-model.ts';

/** Fitted numbers as the tensors that the detector's functions take. Call it inside the trace that uses them. */
export function memoryTensors(memory: FittedMemory): MemoryTensors {
  return {
    deep: { search: bankTensors(memory.deep.index), statistics: statisticsTensors(memory.deep) },
    fine: { search: bankTensors(memory.fine.index), statistics: statisticsTensors(memory.fine) },
    coarse: { search: bankTensors(memory.coarse.index), statistics: statisticsTensors(memory.coarse) },
    local: scaleTensors(memory.localScore),
    coarseScale: scaleTensors(memory.coarseScore),
    global: gaussianTensors(memory.gaussians),
    globalScale: scaleTensors(memory.globalScore),
    head: gaussianTensors(memory.headGaussians),
    headScale: scaleTensors(memory.headScore),
    variety: tf.tensor1d(memory.variety),
    defectHeads: memory.defectHeads && headTensors(memory.defectHeads),
    classFinder: {
      centre: tf.tensor1d(memory.classInference.origin),
      whitening: matrixTensor(memory.classInference.whitening),
      centres: matrixTensor(memory.classInference.centres),
    },
    descriptorProjection: matrixTensor(memory.descriptors.projection),
    descriptors: matrixTensor(memory.descriptors.rows),
    descriptorClass: tf.tensor1d(memory.descriptors.owner, 'int32'),
  };
}

/** @see DefectHeads */
export function headTensors({ mean, scale, towards, factor, weight, offset }: DefectHeads): DefectHeadTensors {
  return {
    mean: matrixTensor(mean),
    scale: matrixTensor(scale),
    towards: matrixTensor(towards),
    factor: tf.tensor1d(factor),
    weight: tf.tensor1d(weight),
    offset: tf.tensor1d(offset),
  };
}

/** The bank as the finished model searches it. */
export function bankTensors(bank: SearchIndex): SearchBank {
  const blocks = bank.costs.length / blockEntries;
  const { codes } = bank;
  if (codes === undefined) return exactBankTensors(bank, tf.tensor3d(bank.costs, [blocks, 1, blockEntries]));
  const { table, normRows, maskRows, scales } = codes;
  const depth = table.length / (blocks * blockEntries);
  return {
    ...layoutTensors(bank),
    table: tf.tensor3d(Int32Array.from(table), [blocks, depth, blockEntries], 'int32'),
    normRows,
    maskRows,
    scales: matrixTensor(scales),
    vectors: matrixTensor(bank.vectors),
  };
}

/** The bank for the exact search, with the given costs `[N, 1, 256]`. */
export function exactBankTensors(bank: SearchIndex, costs: tf.Tensor): ExactBank {
  const products = tf.tensor3d(bank.products, [costs.shape[0]!, bank.vectors.cols, blockEntries]);
  return { ...layoutTensors(bank), lookup: tf.concat([products, costs], 1) };
}

function layoutTensors({ classBlocks: { rows, cols, data }, centres }: SearchIndex) {
  return { classBlocks: tf.tensor2d(data, [rows, cols], 'int32'), centres: matrixTensor(centres) };
}

export function statisticsTensors(statistics: LocalStatistics): BankStatistics {
  const reciprocalRoot = (variance: Float32Array): tf.Tensor => tf.tensor1d(variance.map((v) => 1 / Math.sqrt(v)));
  return {
    entryMean: tf.tensor1d(statistics.entryMean),
    entryScale: reciprocalRoot(statistics.entryVariance),
    classMean: tf.tensor1d(statistics.classMean),
    classScale: reciprocalRoot(statistics.classVariance),
  };
}

export function scaleTensors(scale: Standardisation): ScoreScale {
  return {
    mean: tf.tensor1d(scale.mean),
    scale: tf.tensor1d(scale.sd.map((sd) => 1 / sd)),
  };
}

export function matrixTensor({ data, rows, cols }: Matrix): tf.Tensor2D {
  return tf.tensor2d(data, [rows, cols]);
}

/** Lays the Gaussians of all classes side by side, so that one product scores all of them. */
export function gaussianTensors(gaussians: readonly Gaussian[]): GaussianBundle {
  const dims = gaussians[0]!.mean.length;
  const classes = gaussians.length;
  const centre = new Float64Array(dims);
  for (const { mean } of gaussians) for (let k = 0; k < dims; k++) centre[k]! += mean[k]! / classes;
  const rounded = Float32Array.from(centre);
  const total = gaussians.reduce((sum, { factor }) => sum + factor.rows, 0);
  // A bundle without a single row would be an empty tensor, which not every runtime takes.
  const rows = Math.max(1, total);
  const weights = new Float32Array(dims * rows);
  const offsets = new Float32Array(rows);
  const owner = new Float32Array(rows * classes);
  const means = new Float32Array(classes * dims);
  let at = 0;
  gaussians.forEach(({ mean, factor, sign }, c) => {
    for (let k = 0; k < dims; k++) means[c * dims + k] = mean[k]! - rounded[k]!;
    for (let r = 0; r < factor.rows; r++, at++) {
      let offset = 0;
      for (let k = 0; k < dims; k++) {
        const weight = factor.data[r * dims + k]!;
        weights[k * rows + at] = weight;
        offset += weight * (mean[k]! - rounded[k]!);
      }
      offsets[at] = offset;
      owner[at * classes + c] = sign;
    }
  });
  return {
    centre: tf.tensor1d(rounded),
    weights: tf.tensor2d(weights, [dims, rows]),
    offsets: tf.tensor1d(offsets),
    owner: tf.tensor2d(owner, [rows, classes]),
    ridge: tf.tensor1d(Float32Array.from(gaussians, ({ isotropic }) => isotropic)),
    means: tf.tensor2d(means, [classes, dims]),
  };
}
