import { defineConfig } from 'vitest/config';

export default defineConfig({
  // tfjs-core registers its gradients only in the ES module build, which plain Node cannot load.
  resolve: { mainFields: ['module', 'main'] },
  test: {
    include: ['test/**/*.test.ts'],
    server: { deps: { inline: [/@tensorflow/] } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
