import { defineConfig } from 'vitest/config';

export default defineConfig({
  // tfjs-core registers its gradients only in the ES module build, which plain Node cannot load.
  resolve: { mainFields: ['module', 'main'] },
  test: {
    include: ['test/**/*.test.ts'],
    server: { deps: { inline: [/@tensorflow/] } },
    // Only for what hangs: on a machine that does much else, a test of ten seconds takes minutes.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
