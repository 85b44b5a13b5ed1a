import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Folder that holds `models/`, found upwards from this file: it's two levels up in the sources, one in the built
 * program.
 */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    if (existsSync(join(folder, 'models', 'registry.json'))) return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error('models/registry.json is missing: the installation is not complete.');
    folder = parent;
  }
}

/** The folder of the backbone registry, see `readRegistry`. */
export function modelsDir(): string {
  return join(projectRoot(), 'models');
}
