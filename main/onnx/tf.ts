/** The same TensorFlow.js instance that `main/nn/tf.ts` loads; this folder only needs its kernel registry. */
import * as tf from '@tensorflow/tfjs-core';

export { tf };
