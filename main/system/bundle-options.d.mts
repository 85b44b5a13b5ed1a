import type { BuildOptions } from 'esbuild';

/** How anything of Twinspect is bundled for plain Node. */
export const bundleOptions: BuildOptions;
