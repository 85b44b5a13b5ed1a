/**
 * How anything of Twinspect is bundled for plain Node: the program, benchmarks, and the processes that tests start.
 */
export const bundleOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // tfjs-core registers its gradients only in the ES module build.
  mainFields: ['module', 'main'],
  external: [
    'electron',
    'onnxruntime-node',
    '@napi-rs/canvas',
    '@photostructure/sqlite',
    'esbuild',
    '@tensorflow/tfjs-node',
    '@tensorflow/tfjs-node-gpu',
  ],
  // Bundled CommonJS modules ask for Node's built-ins with require().
  banner: {
    js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);",
  },
};
