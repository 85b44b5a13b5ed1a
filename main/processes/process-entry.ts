import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleOptions } from '../system/bundle-options.mjs';
import { projectRoot } from '../system/project-root.ts';

/** The station's processes. */
export type ProcessName = 'inference' | 'training';

let bundled: Promise<string> | undefined;

/**
 * Where the JavaScript of a process is. A built program has `<name>.js` beside its own file; run from TypeScript
 * sources (tests, benchmarks), `main/processes/<name>.entry.ts` is bundled first, once per process.
 */
export async function processEntry(name: ProcessName): Promise<URL> {
  const built = new URL(`./${name}.js`, import.meta.url);
  if (existsSync(built)) return built;
  bundled ??= bundle();
  return pathToFileURL(path.join(await bundled, `${name}.mjs`));
}

/** @returns the folder with the bundles */
async function bundle(): Promise<string> {
  const root = projectRoot();
  const here = fileURLToPath(import.meta.url);
  // Only there in a development set-up, so the built program must not ask for it at start.
  const { build } = await import('esbuild');
  // Inside node_modules, so that the bundle finds the packages it was written against.
  const folder = path.join(root, 'node_modules', '.cache', 'twinspect', `processes-${String(process.pid)}`);
  const entry = (name: ProcessName): string => path.join(root, 'main', 'processes', `${name}.entry.ts`);
  if (!existsSync(entry('inference'))) throw new Error(`the processes' entries were not found from ${here}`);
  await mkdir(path.dirname(folder), { recursive: true });
  const fresh = `${folder}.new`;
  await build({
    ...bundleOptions,
    entryPoints: { inference: entry('inference'), training: entry('training') },
    outdir: fresh,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    logLevel: 'error',
  });
  await rm(folder, { recursive: true, force: true });
  await rename(fresh, folder);
  return folder;
}

/** Removes what `processEntry` bundled, if anything. */
export async function removeBundles(): Promise<void> {
  if (bundled === undefined) return;
  const folder = await bundled.catch(() => undefined);
  bundled = undefined;
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
