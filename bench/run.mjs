// Runs a benchmark written in TypeScript: node bench/run.mjs bench/<name>.ts [arguments]
// With --bundle first it only writes the bundle and prints its path.
import { build } from 'esbuild';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleOptions } from '../main/system/bundle-options.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const onlyBundle = process.argv[2] === '--bundle';
if (onlyBundle) process.argv.splice(2, 1);
const entry = process.argv[2];
if (entry === undefined) throw new Error('usage: node bench/run.mjs [--bundle] bench/<name>.ts [arguments]');
const folder = path.join(root, 'node_modules', '.cache', 'twinspect');
mkdirSync(folder, { recursive: true });
const outfile = path.join(folder, `${path.basename(entry, '.ts')}-${process.pid}.mjs`);
/** Plain modules of the program find their files beside themselves: they are loaded from where they are. */
const asTheyAre = {
  name: 'as-they-are',
  setup(/** @type {import('esbuild').PluginBuild} */ { onResolve }) {
    onResolve({ filter: /^\..*\.mjs$/ }, ({ path: file, resolveDir }) => ({
      path: pathToFileURL(path.resolve(resolveDir, file)).href,
      external: true,
    }));
  },
};
await build({
  ...bundleOptions,
  external: [...bundleOptions.external, '@playwright/test'],
  plugins: [asTheyAre],
  entryPoints: [path.resolve(entry)],
  outfile,
  logLevel: 'error',
});
if (onlyBundle) {
  // For measurements in a process that holds nothing but the bundle.
  console.log(outfile);
} else {
  process.argv.splice(1, 2, entry);
  await import(pathToFileURL(outfile).href);
}
