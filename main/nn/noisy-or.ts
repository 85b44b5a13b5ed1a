/** Noisy-OR of the two students' errors: training loss and anomaly score (method-spec section 6). */
import { withGradient } from './layers.ts';
import { tf, type Tensor } from './tf.ts';

/** `log sigma(x)` element by element. */
const logSigmoid = (x: Tensor) => tf.neg(tf.softplus(tf.neg(x)));

/**
 * `log AC = log sigma(a) + log sigma(b)`: the paper's anomaly score sigma(L'_SE) sigma(L_SD) in the log domain, where
 * it keeps ranking although the product itself rounds to 1 from about 17 on in float32.
 */
export function logAnomalyScore(encoderError: Tensor, decoderError: Tensor): Tensor {
  return tf.add(logSigmoid(encoderError), logSigmoid(decoderError));
}

/** `log P` with `P = 1 - sigma(a) sigma(b)`, the probability of being normal; never above log(3/4) for a, b >= 0. */
export function logNormality(encoderError: Tensor, decoderError: Tensor): Tensor {
  const [a, b] = [tf.neg(encoderError), tf.neg(decoderError)];
  const both = tf.add(a, b);
  const largest = tf.maximum(tf.maximum(a, b), both);
  const terms = tf.addN([a, b, both].map((term) => tf.exp(tf.sub(term, largest))));
  return tf.addN([tf.log(terms), largest, logAnomalyScore(encoderError, decoderError)]);
}

/**
 * Loss of each picture, `-(y log P + (1 - y) log(1 - P))` with `P = 1 - sigma(a) sigma(b)` (eq. 3), in its stable form:
 * no value overflows however large an error is.
 *
 * Gradients in closed form. Normal (y = 1): `dL/da = sigma(a) sigma(-a) sigma(b) / P`; anomalous (y = 0):
 * `dL/da = -sigma(-a)`; symmetric in b.
 * @param encoderError a = L_SE `[B]`, at least 0
 * @param decoderError b = L_SD `[B]`, at least 0
 * @param label        y `[B]`, 1 for normal and 0 for anomalous pictures
 * @param defectErrorCap of anomalous pictures, where a is drawn to: b can't pass 2, a could grow without end. Below the cap
 *   the loss is that of eq. 3; above it, it rises again, first with the square of the distance, from twice the cap on in a
 *   straight line, so that the gradient never exceeds sigma(-cap). Default: no cap
 */
export function noisyOrLoss(
  encoderError: Tensor,
  decoderError: Tensor,
  label: Tensor,
  defectErrorCap: number | null = null,
): Tensor {
  const [a, b] = [encoderError, decoderError];
  const cap = defectErrorCap ?? 0;
  /** Slope of the way back at the far end, the same as that of the way there at the cap. */
  const pull = 1 / (1 + Math.exp(cap));
  /** Distance above the cap, in caps. */
  const beyond = (error: Tensor) => tf.relu(tf.sub(tf.mul(error, 1 / cap), 1));
  return withGradient(
    [a, b],
    () => {
      const logP = logNormality(a, b);
      const logQ = logAnomalyScore(a, b);
      let logDefect = logQ;
      if (defectErrorCap !== null) {
        const far = beyond(a);
        const near = tf.minimum(far, 1);
        const back = tf.mul(near, tf.sub(far, tf.mul(near, 0.5)));
        logDefect = tf.sub(logAnomalyScore(tf.minimum(a, cap), b), tf.mul(back, pull * cap));
      }
      const loss = tf.neg(tf.add(tf.mul(label, logP), tf.mul(tf.sub(1, label), logDefect)));
      return { value: loss, saved: [logP, logQ, a, b, label] };
    },
    (dy, saved) => {
      const [logP, logQ, encoder, decoder, y] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor];
      const slopes = (error: Tensor) => {
        const complement = logSigmoid(tf.neg(error));
        return { normal: tf.exp(tf.sub(tf.add(logQ, complement), logP)), anomalous: tf.neg(tf.exp(complement)) };
      };
      const [ofEncoder, ofDecoder] = [slopes(encoder), slopes(decoder)];
      let pushed = ofEncoder.anomalous;
      if (defectErrorCap !== null) {
        const isBelow = tf.cast(tf.less(encoder, cap), 'float32');
        pushed = tf.add(tf.mul(pushed, isBelow), tf.mul(tf.minimum(beyond(encoder), 1), pull));
      }
      const mixed = (normal: Tensor, anomalous: Tensor) =>
        tf.mul(dy, tf.add(tf.mul(y, normal), tf.mul(tf.sub(1, y), anomalous)));
      return [mixed(ofEncoder.normal, pushed), mixed(ofDecoder.normal, ofDecoder.anomalous)];
    },
  );
}
