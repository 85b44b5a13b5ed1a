import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const bundled = new Map<string, Promise<URL>>();

/**
 * Where the JavaScript of a worker entry is. A built program has `<name>.js` beside it. Run from TypeScript sources
 * (tests, benchmarks), `main/runtime/<name>.entry.ts` is bundled first, once per process.
 *
 * @param name entry name without `.entry.ts`, e.g. `session-worker`
 */
export function workerUrl(name: string): Promise<URL> {
  const built = new URL(`./${name}.js`, import.meta.url);
  if (existsSync(built)) return Promise.resolve(built);
  const known = bundled.get(name) ?? bundle(name);
  bundled.set(name, known);
  return known;
}

async function bundle(name: string): Promise<URL> {
  const here = fileURLToPath(import.meta.url);
  const root = projectRoot(path.dirname(here), name);
  // Only there in a development set-up, so the built program must not ask for it at start.
  const { build } = await import('esbuild');
  const result = await build({
    entryPoints: [path.join(root, 'main', 'runtime', `${name}.entry.ts`)],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
  });
  const code = result.outputFiles[0]!.contents;
  const hash = createHash('sha256').update(code).digest('hex').slice(0, 16);
  // Inside node_modules, so that the bundle finds the packages it was written against.
  const folder = path.join(root, 'node_modules', '.cache', 'twinspect');
  const file = path.join(folder, `${name}-${hash}.mjs`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    const partial = `${file}.${process.pid}`;
    writeFileSync(partial, code);
    renameSync(partial, file);
  }
  return pathToFileURL(file);
}

function projectRoot(from: string, name: string): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'main', 'runtime', `${name}.entry.ts`))) return folder;
    if (folder === path.dirname(folder)) throw new Error(`the worker ${name} was not found from ${from}`);
  }
}
