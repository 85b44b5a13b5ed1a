/**
 * The whole embedded detector from teacher features to scores, as one pure tensor function: it is traced into the
 * fused inference graph, and nothing else computes a score (embedded-recipe sections 3 to 9).
 */
import { decoderScore, type PositionStatistics } from './embedded-scores.ts';
import { nearestEntries, type SearchBank } from './memory-search.ts';
import {
  deviationMap,
  enlargeMap,
  findClass,
  gaussianDistances,
  mapMaximum,
  memoryMap,
  minDistance,
  ofClass,
  smooth3,
  standardise,
  tokenDeviation,
  type BankStatistics,
  type ClassFinder,
  type GaussianBundle,
} from './normal-memory.ts';
import { tf, type Tensor } from './tf.ts';

/** Constants of the fusion (embedded-recipe section 8). */
export const fusionDefaults = {
  /** An expert counts from this many standard deviations above its normal mean. */
  softplusOffset: 1,
  /** Weight of the whole-part statistics: less than the patches', which see more. */
  globalWeight: 0.5,
  /** Weight of the head's statistics: they see what a picture shows, and no small defect. */
  headWeight: 0.5,
  /** The same where good pictures of a class have little in common: it then leads, and single places say nothing. */
  variedHeadWeight: 1,
  /** Weight of the decoder student beside the memory. */
  decoderWeight: 0.5,
} as const;

/** Mean and `1 / sd` of one expert's raw score on normal pictures, per class: both `[C]`. */
export interface ScoreScale {
  mean: Tensor;
  scale: Tensor;
}

/** One bank: where to search, and what is normal there. */
export interface BankTensors {
  search: SearchBank;
  statistics: BankStatistics;
}

/** Everything the memory expert needs. */
export interface MemoryTensors {
  deep: BankTensors;
  fine: BankTensors;
  coarse: BankTensors;
  /** Of the largest value of the map of deep and fine bank together. */
  local: ScoreScale;
  /** Of the largest value of the coarse bank's map. */
  coarseScale: ScoreScale;
  global: GaussianBundle;
  globalScale: ScoreScale;
  head: GaussianBundle;
  headScale: ScoreScale;
  classFinder: ClassFinder;
  /** `[C]` how varied the good pictures of each class are, 0 (parts of one kind) to 1 (photographs of anything). */
  variety: Tensor;
  /** What labelled defects have taught; undefined without any. */
  defectHeads: DefectHeadTensors | undefined;
  /** `[p, q]` projects a whitened class vector to a descriptor; `[M, q]` descriptors of normal pictures; `[M]` their class. */
  descriptorProjection: Tensor;
  descriptors: Tensor;
  descriptorClass: Tensor;
}

/** `score * factor + likeness * weight + offset` per class: `[C, p]` mean, 1 / ordinary deviation, direction; `[C]` each. */
export type DefectHeadTensors = Record<'mean' | 'scale' | 'towards' | 'factor' | 'weight' | 'offset', Tensor>;

/** What the students say of a batch. */
export interface StudentErrors {
  /** Two times `[B, P]`: ln of the decoder student's `1 - cos` at every place, per group. */
  errors: readonly [Tensor, Tensor];
  /** `[B, p]` encoder student's residual. */
  residual: Tensor;
}

/** The two students with their calibration. */
export interface StudentTensors {
  run(tokens: Tensor, encoderTokens: Tensor, vector: Tensor, classIndex: Tensor): StudentErrors;
  decoderStatistics: readonly [PositionStatistics, PositionStatistics];
  decoderScale: ScoreScale;
  residual: GaussianBundle;
  residualScale: ScoreScale;
}

/** Where the parts lie in the feature vector `[stage means | head mean | global vector]`. */
export interface VectorLayout {
  stageMeans: number;
  head: number;
  /** Length of the class vector, the tail of the stage means. */
  classDims: number;
  globalDims: number;
}

/** Features of `B` pictures, shapes as in the teacher pass. */
export interface FeatureTensors {
  deep: Tensor;
  fine: Tensor;
  coarse: Tensor;
  tokens: Tensor;
  encoderTokens: Tensor;
  vector: Tensor;
}

/** `[B]` each but where said. Scores are unbounded, higher is less normal. */
export interface DetectorOutputs {
  predScore: Tensor;
  /** Decoder student, in standard deviations of the class's normal pictures; NaN without students. */
  localScore: Tensor;
  /** Encoder student, likewise. */
  semanticScore: Tensor;
  /** The memory's own fused score, what instant mode decides by. */
  memoryScore: Tensor;
  /** Both students fused without the memory; NaN without students. */
  studentScore: Tensor;
  /** `[B, size, size]` how unusual each place is, by the fine bank. */
  anomalyMap: Tensor;
  /** int32 */
  classIndex: Tensor;
  /** Squared distance to the nearest class: the `unknownClass` signal. */
  classDistance: Tensor;
  /** int32 row of the most similar normal picture. */
  nearestNormal: Tensor;
}

/** `softplus(z - 1)`: nearly nothing for a normal picture, linear for a strange one. */
export function surprise(z: Tensor): Tensor {
  return tf.softplus(tf.sub(z, fusionDefaults.softplusOffset));
}

/** `ln d` of a squared distance, with the floor that all logarithms of distances have. */
export function halfLog(squaredDistance: Tensor): Tensor {
  return tf.mul(tf.log(tf.maximum(squaredDistance, minDistance ** 2)), 0.5);
}

/**
 * One score of all experts, each in standard deviations of the class's normal pictures, `[B]`.
 *
 * Where the good pictures of the class have little in common (`variety` near 1), places of the picture and the decoder
 * student drop out and the head leads; with variety 0, as of parts of one kind, both factors are 1 and change nothing.
 *
 * @param variety `[B]` of each picture's class, 0..1
 */
export function fuse(
  memory: Record<'local' | 'coarse' | 'head' | 'global', Tensor>,
  students: Record<'decoder' | 'encoder', Tensor> | undefined,
  variety: Tensor,
): { predScore: Tensor; memoryScore: Tensor; studentScore: Tensor | undefined } {
  const { headWeight, variedHeadWeight, globalWeight, decoderWeight } = fusionDefaults;
  const alike = tf.add(tf.mul(variety, -1), 1);
  const patches = tf.mul(tf.add(surprise(memory.local), surprise(memory.coarse)), alike);
  const ofHead = tf.add(tf.mul(variety, variedHeadWeight - headWeight), headWeight);
  const seen = tf.add(patches, tf.mul(surprise(memory.head), ofHead));
  const memoryScore = tf.add(seen, tf.mul(surprise(memory.global), globalWeight));
  if (students === undefined) return { predScore: memoryScore, memoryScore, studentScore: undefined };
  const whole = surprise(tf.mul(tf.add(memory.global, students.encoder), 0.5));
  const places = tf.mul(surprise(students.decoder), alike);
  return {
    predScore: tf.add(tf.add(seen, tf.mul(whole, globalWeight)), tf.mul(places, decoderWeight)),
    memoryScore,
    studentScore: tf.add(places, surprise(students.encoder)),
  };
}

/**
 * Adds to the fused score how alike the picture's deviation is to that of the class's labelled defects.
 * @param predScore `[B]`
 * @param vector `[B, p]` the backbone's head means
 */
export function applyDefectHeads(
  predScore: Tensor,
  vector: Tensor,
  classIndex: Tensor,
  { mean, scale, towards, factor, weight, offset }: DefectHeadTensors,
): Tensor {
  const own = (values: Tensor): Tensor => tf.gather(values, classIndex);
  const deviation = tf.mul(tf.sub(vector, own(mean)), own(scale));
  const length = tf.sqrt(tf.maximum(tf.sum(tf.square(deviation), 1), 1e-12));
  const likeness = tf.div(tf.sum(tf.mul(deviation, own(towards)), 1), length);
  return tf.add(tf.add(tf.mul(predScore, own(factor)), tf.mul(likeness, own(weight))), own(offset));
}

/**
 * @param size side of the anomaly map, pixels
 */
export function detect(
  features: FeatureTensors,
  memory: MemoryTensors,
  students: StudentTensors | undefined,
  layout: VectorLayout,
  size: number,
): DetectorOutputs {
  const classVector = tf.slice(features.vector, [0, layout.stageMeans - layout.classDims], [-1, layout.classDims]);
  const globalVector = tf.slice(features.vector, [0, layout.stageMeans + layout.head], [-1, layout.globalDims]);
  const { distances, nearest: classIndex, whitened } = findClass(classVector, memory.classFinder);

  const deviation = (tokens: Tensor, { search, statistics }: BankTensors): Tensor =>
    tokenDeviation(nearestEntries(tokens, classIndex, search), classIndex, statistics);
  const fine = deviation(features.fine, memory.fine);
  const map = smooth3(memoryMap(deviation(features.deep, memory.deep), fine));
  const zLocal = standardise(mapMaximum(map), classIndex, memory.local.mean, memory.local.scale);
  const coarseMap = smooth3(deviationMap(deviation(features.coarse, memory.coarse)));
  const zCoarse = standardise(mapMaximum(coarseMap), classIndex, memory.coarseScale.mean, memory.coarseScale.scale);
  const globalRaw = halfLog(ofClass(gaussianDistances(globalVector, memory.global), classIndex));
  const zGlobal = standardise(globalRaw, classIndex, memory.globalScale.mean, memory.globalScale.scale);
  const headVector = tf.slice(features.vector, [0, layout.stageMeans], [-1, layout.head]);
  const headRaw = halfLog(ofClass(gaussianDistances(headVector, memory.head), classIndex));
  const zHead = standardise(headRaw, classIndex, memory.headScale.mean, memory.headScale.scale);

  let ofStudents: { decoder: Tensor; encoder: Tensor } | undefined;
  if (students !== undefined) {
    const scores = students.run(features.tokens, features.encoderTokens, features.vector, classIndex);
    const decoderRaw = decoderScore(scores.errors, classIndex, students.decoderStatistics);
    const residualRaw = halfLog(ofClass(gaussianDistances(scores.residual, students.residual), classIndex));
    ofStudents = {
      decoder: standardise(decoderRaw, classIndex, students.decoderScale.mean, students.decoderScale.scale),
      encoder: standardise(residualRaw, classIndex, students.residualScale.mean, students.residualScale.scale),
    };
  }
  const fused = fuse(
    { local: zLocal, coarse: zCoarse, head: zHead, global: zGlobal },
    ofStudents,
    tf.gather(memory.variety, classIndex),
  );
  // A product keeps the batch dimension dynamic in the traced graph, where a filled constant would not.
  const none = tf.mul(fused.memoryScore, NaN);
  const heads = memory.defectHeads;
  return {
    predScore: heads === undefined ? fused.predScore : applyDefectHeads(fused.predScore, headVector, classIndex, heads),
    localScore: ofStudents?.decoder ?? none,
    semanticScore: ofStudents?.encoder ?? none,
    memoryScore: fused.memoryScore,
    studentScore: fused.studentScore ?? none,
    // The fine bank alone marks places best; deep and fine together rank parts best.
    anomalyMap: enlargeMap(smooth3(deviationMap(fine)), size),
    classIndex,
    classDistance: tf.min(distances, 1),
    nearestNormal: nearestNormal(whitened, classIndex, memory),
  };
}

/** The normal picture of the same class whose descriptor is nearest. `[B, p]`, `[B]` to `[B]` int32. */
function nearestNormal(whitened: Tensor, classIndex: Tensor, memory: MemoryTensors): Tensor {
  const own = tf.matMul(whitened as tf.Tensor2D, memory.descriptorProjection as tf.Tensor2D);
  const products = tf.matMul(own, memory.descriptors as tf.Tensor2D, false, true);
  const cost = tf.sub(tf.sum(tf.square(memory.descriptors), 1), tf.mul(products, 2));
  const other = tf.notEqual(tf.expandDims(classIndex, 1), tf.expandDims(memory.descriptorClass, 0));
  return tf.argMin(tf.add(cost, tf.mul(tf.cast(other, 'float32'), 1e30)), 1);
}
