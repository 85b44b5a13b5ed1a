// Bundles the command line and every worker entry into dist/, as ES modules for Node.
import { build as esbuild } from 'esbuild';
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bundleOptions } from '../system/bundle-options.mjs';

/**
 * Builds beside dist/ and swaps it in whole, so that a build that fails leaves the old one.
 * @param {string} root project root
 */
export async function build(root) {
  const entries = { cli: join(root, 'main', 'cli', 'index.ts') };
  for (const file of readdirSync(join(root, 'main'), { recursive: true })) {
    if (file.endsWith('.entry.ts')) entries[basename(file, '.entry.ts')] = join(root, 'main', file);
  }
  const fresh = join(root, `.twinspect/dist-${process.pid}`);
  const result = await esbuild({
    ...bundleOptions,
    entryPoints: entries,
    outdir: fresh,
    splitting: true,
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'silent',
  }).catch((error) => {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  });
  // A sandboxed preload can't be an ES module.
  await esbuild({
    bundle: true,
    platform: 'browser',
    format: 'cjs',
    target: 'chrome130',
    external: ['electron'],
    entryPoints: [join(root, 'main', 'preload', 'preload.ts')],
    outfile: join(fresh, 'preload.cjs'),
    legalComments: 'none',
    logLevel: 'silent',
  });
  for (const warning of result.warnings) process.stderr.write(`${warning.text}\n`);
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  renameSync(fresh, join(root, 'dist'));
}
