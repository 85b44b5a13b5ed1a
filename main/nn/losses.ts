/** Errors of the two students: group cosine with hard mining and class-token distances (method-spec sections 3, 5). */
import { withGradient } from './layers.ts';
import { tf, type Tensor } from './tf.ts';

/** Norm products below this count as this, as in PyTorch's cosine similarity. */
const cosineFloor = 1e-8;

/**
 * Which points' gradients are weakened, as inputs of a static graph: the share p changes from step to step, so its rank
 * among all points arrives as a number.
 */
export interface HardMining {
  /** Scalar k from `miningRank`: points whose distance is below the k-th largest are easy. */
  readonly rank: Tensor;
  /** What the gradients of easy points are multiplied by, 0.1 in Dinomaly. */
  readonly factor: number;
  /** `[B]`, 1 for normal pictures. Points of anomalous ones (0) keep their gradients; undefined means all normal. */
  readonly label?: Tensor;
}

/** Sums over channels of target * student, target^2 and student^2, each `[B, N]`. */
function pointSums(target: Tensor, student: Tensor): { dot: Tensor; target2: Tensor; student2: Tensor } {
  return {
    dot: tf.sum(tf.mul(target, student), -1),
    target2: tf.sum(tf.square(target), -1),
    student2: tf.sum(tf.square(student), -1),
  };
}

/** `1 - cos` from the three sums. */
function cosineDistance(dot: Tensor, target2: Tensor, student2: Tensor): Tensor {
  const norms = tf.maximum(tf.mul(tf.sqrt(target2), tf.sqrt(student2)), cosineFloor);
  return tf.sub(1, tf.div(dot, norms));
}

/** `1 - cos` of every point over the channels, `[B, N, C]` x 2 -> `[B, N]`: the decoder student's anomaly map. */
export function pointDistance(target: Tensor, student: Tensor): Tensor {
  const { dot, target2, student2 } = pointSums(target, student);
  return cosineDistance(dot, target2, student2);
}

/** Weight of every point's gradient, `[B, N]`: `factor` where the point is easy, else 1. */
function miningWeights(distance: Tensor, mining: HardMining): Tensor {
  const count = distance.shape[0]! * distance.shape[1]!;
  // A full sort and a comparison with the rank, because the rank is no constant of the traced graph.
  const { values } = tf.topk(tf.reshape(distance, [count]), count, true);
  const chosen = tf.cast(tf.equal(tf.range(1, count + 1), mining.rank), 'float32');
  const threshold = tf.sum(tf.mul(values, chosen));
  const easy = tf.cast(tf.less(distance, threshold), 'float32');
  const weakened = mining.label === undefined ? easy : tf.mul(easy, tf.expandDims(mining.label, 1));
  return tf.add(tf.mul(weakened, mining.factor - 1), 1);
}

/**
 * One group's `1 - cos(vec target, vec student)` of each picture, vectors over all points and channels (eq. 1).
 *
 * Gradient in closed form, `d/ds = cos s/|s|^2 - t/(|t||s|)`; hard mining leaves the value alone and multiplies the
 * gradient of easy points (section 3.2). The target gets no gradient.
 * @param target  teacher's group `[B, N, C]`
 * @param student student's group `[B, N, C]`
 * @returns `[B]`, range [0, 2]
 */
export function groupCosineLoss(target: Tensor, student: Tensor, mining?: HardMining): Tensor {
  return withGradient(
    [student],
    () => {
      const sums = pointSums(target, student);
      const [dot, target2, student2] = [sums.dot, sums.target2, sums.student2].map((x) => tf.sum(x, 1, true)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const norms = tf.maximum(tf.mul(tf.sqrt(target2), tf.sqrt(student2)), cosineFloor);
      const cosine = tf.div(dot, norms);
      let alongTarget = tf.neg(tf.reciprocal(norms));
      let alongStudent = tf.div(cosine, student2);
      if (mining !== undefined) {
        const weights = miningWeights(cosineDistance(sums.dot, sums.target2, sums.student2), mining);
        alongTarget = tf.mul(alongTarget, weights);
        alongStudent = tf.mul(alongStudent, weights);
      }
      const saved = [target, student, alongTarget, alongStudent];
      return { value: tf.squeeze(tf.sub(1, cosine), [1]), saved };
    },
    (dy, saved) => {
      const [t, s, alongTarget, alongStudent] = saved as [Tensor, Tensor, Tensor, Tensor];
      const column = tf.expandDims(dy, 1);
      const scaled = (x: Tensor, weight: Tensor) => tf.mul(x, tf.expandDims(tf.mul(weight, column), 2));
      return [tf.add(scaled(t, alongTarget), scaled(s, alongStudent))];
    },
  );
}

/** Decoder student's error L_SD of each picture, `[B]`: mean of the groups' cosine losses (eq. 1). */
export function decoderError(targets: readonly Tensor[], students: readonly Tensor[], mining?: HardMining): Tensor {
  const losses = targets.map((target, i) => groupCosineLoss(target, students[i]!, mining));
  return tf.mul(tf.addN(losses), 1 / losses.length);
}

/**
 * How a class token's squared distance is reduced over its channels. `sum` is eq. 2 as written; `mean` is what keeps
 * the encoder student's gradient alive under the Noisy-OR (section 5.4).
 */
export type ErrorReduction = 'mean' | 'sum';

/** Squared distances of the class tokens, `[m, B, C]` x 2 -> `[m, B]`. The target gets no gradient. */
export function classTokenErrors(target: Tensor, student: Tensor, reduction: ErrorReduction): Tensor {
  const scale = reduction === 'mean' ? 1 / target.shape[2]! : 1;
  return withGradient(
    [student],
    () => {
      const difference = tf.sub(student, target);
      return { value: tf.mul(tf.sum(tf.square(difference), -1), scale), saved: [difference] };
    },
    (dy, saved) => [tf.mul(saved[0]!, tf.expandDims(tf.mul(dy, 2 * scale), 2))],
  );
}

/** Encoder student's error L_SE of each picture, `[m, B]` -> `[B]`: mean over all class tokens (eq. 2). */
export function encoderError(errors: Tensor): Tensor {
  return tf.mean(errors, 0);
}
