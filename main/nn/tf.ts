/**
 * The one place that loads TensorFlow.js, so that there is exactly one instance of it, with its gradients.
 *
 * `tfjs-core`'s CommonJS bundle registers no gradients, hence the explicit import; production mode only silences
 * its advertisement for the native backend (the program states the engine it uses by itself).
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';

tf.enableProdMode();

export { tf };
export type { Tensor } from '@tensorflow/tfjs-core';
