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
 * @param defectErrorCap of anomalous pictures, a counts as at most this: b can't pass 2, a could grow without end. From the
 *   cap on their gradient to the encoder student is 0, so that no labelled defect drives it further. It isn't drawn back
 *   either: what a teacher says of a defect can lie far off by itself, and a student drawn to it would learn to know defects.
 *   Default: no cap
 */
export function noisyOrLoss(
  encoderError: Tensor,
  decoderError: Tensor,
  label: Tensor,
  defectErrorCap: number | null = null,
): Tensor {
  const [a, b] = [encoderError, decoderError];
  const limit = (error: Tensor) => (defectErrorCap === null ? error : tf.minimum(error, defectErrorCap));
  return withGradient(
    [a, b],
    () => {
      const logP = logNormality(a, b);
      const logQ = logAnomalyScore(a, b);
      const logDefect = defectErrorCap === null ? logQ : logAnomalyScore(limit(a), b);
      const loss = tf.neg(tf.add(tf.mul(label, logP), tf.mul(tf.sub(1, label), logDefect)));
      return { value: loss, saved: [logP, logQ, a, b, label] };
    },
    (dy, saved) => {
      const [logP, logQ, encoder, decoder, y] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor];
      const slope = (error: Tensor, anomalous: Tensor) => {
        const complement = logSigmoid(tf.neg(error));
        const normal = tf.exp(tf.sub(tf.add(logQ, complement), logP));
        return tf.mul(dy, tf.sub(tf.mul(y, normal), tf.mul(anomalous, tf.exp(complement))));
      };
      const anomalous = tf.sub(1, y);
      const pushed =
        defectErrorCap === null ? anomalous : tf.mul(anomalous, tf.cast(tf.less(encoder, defectErrorCap), 'float32'));
      return [slope(encoder, pushed), slope(decoder, anomalous)];
    },
  );
}
