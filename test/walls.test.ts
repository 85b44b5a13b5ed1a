import { ESLint } from 'eslint';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const folders = readdirSync(join(root, 'main'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

let eslint: ESLint;
beforeAll(() => {
  eslint = new ESLint({ cwd: root });
});

/** Rules that an import breaks in a file of a folder. */
async function broken(folder: string, source: string, isDynamic = false): Promise<(string | null)[]> {
  const text = isDynamic
    ? `export const b = import('${source}');\n`
    : `import { a } from '${source}';\nexport const b = a;\n`;
  const [result] = await eslint.lintText(text, { filePath: join(root, folder, 'new-file.ts') });
  return result!.messages.map(({ ruleId }) => ruleId);
}

describe('import walls', () => {
  it('every folder of main/ stands on a floor, and is on the map', async () => {
    const map = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    for (const folder of folders) {
      const above = folder === 'app' ? 'preload' : 'app';
      expect(await broken(`main/${folder}`, `../${above}/x.ts`), folder).toEqual(['no-restricted-imports']);
      expect(await broken(`main/${folder}`, `../${above}/x.ts`, true), folder).toEqual(['no-restricted-syntax']);
      expect(map, folder).toContain(`main/${folder}/`);
    }
  });

  it.each([
    ['main/store', '../station/x.ts', 'a higher floor'],
    ['main/processes/training', '../../station/x.ts', 'a higher floor, from a folder inside'],
    ['main/training', '../inspection/x.ts', 'the other flow'],
    ['main/inspection', '../training/x.ts', 'the other flow'],
    ['main/onnx', '../nn/x.ts', 'the networks'],
    ['main/nn', 'node:fs', 'Node in pure functions'],
    ['main/detector', 'onnxruntime-node', 'ONNX Runtime outside main/runtime'],
    ['main/station', 'electron', 'Electron outside the shell'],
    ['main/station', '../../renderer/app/x.ts', 'the window'],
    ['shared/metrics', '../../main/x.ts', 'shared reaching up'],
    ['shared/metrics', 'node:fs', 'Node in shared'],
    ['renderer/app', '../../main/x.ts', 'the window reaching into main'],
  ])('%s may not import %s: %s', async (folder, source) => {
    expect(await broken(folder, source)).toEqual(['no-restricted-imports']);
  });

  it.each([
    ['main/station', '../store/x.ts'],
    ['main/memory', '../../shared/calibration/x.ts'],
    ['main/processes/inference', '../../training/x.ts'],
    ['main/app', 'electron'],
    ['main/runtime', 'onnxruntime-node'],
  ])('%s may import %s', async (folder, source) => {
    expect(await broken(folder, source)).toEqual([]);
  });
});
