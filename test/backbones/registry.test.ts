import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dinov2Sizes, type Dinov2Size } from '../../main/backbones/dinov2.ts';
import { dinov2Shapes } from '../../main/backbones/dinov2-names.ts';
import {
  findBackbone,
  findBundledBackbone,
  readRegistry,
  verifyBackbone,
  type BackboneRegistry,
} from '../../main/backbones/registry.ts';
import { dinov2Mean, dinov2Scale } from '../../main/backbones/teacher-graph.ts';
import { presets } from '../../main/nn/presets.ts';
import { modelsDir } from '../../main/system/project-root.ts';

let registry: BackboneRegistry;
let folder: string;
beforeAll(async () => {
  registry = await readRegistry(modelsDir());
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect-registry-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the DINOv2 backbones of the registry', () => {
  it('have the sizes the weight reader knows, and the parameters their shapes give', () => {
    const entries = registry.backbones.filter(({ architecture }) => architecture.family === 'dinov2');
    expect(entries.map(({ id }) => id).sort()).toEqual(
      ['base', 'large', 'small'].flatMap((size) => [`dinov2-${size}`, `dinov2-with-registers-${size}`]).sort(),
    );
    for (const { id, architecture, parameters, input, licence } of entries) {
      if (architecture.family !== 'dinov2') throw new Error(id);
      const { embedDim, depth, heads } = dinov2Sizes[id.split('-').at(-1) as Dinov2Size];
      const registers = id.includes('with-registers') ? 4 : 0;
      expect(architecture, id).toMatchObject({ embedDim, depth, heads, registers, patch: 14, positionGrid: 37 });
      const shapes = dinov2Shapes({ embedDim, depth, registers, patch: 14, storedGrid: 37 });
      const count = [...shapes.values()].reduce<number>(
        (sum, shape) => sum + shape.reduce((product, n) => product * n, 1),
        embedDim,
      );
      expect(parameters, id).toBe(count);
      expect(input).toMatchObject({ mean: [...dinov2Mean], scale: [...dinov2Scale] });
      expect(licence).toBe('Apache-2.0');
    }
  });

  it('pin the file that is fetched: its size is that of its numbers and little more', () => {
    const external = registry.backbones.filter((entry) => !entry.bundled);
    const hashes = external.map(({ files: [first] }) => first!.sha256);
    expect(new Set(hashes).size).toBe(6);
    for (const { id, parameters, files } of external) {
      const spare = files[0]!.bytes! - 4 * parameters;
      expect(spare, id).toBeGreaterThan(0);
      expect(spare, id).toBeLessThan(120_000);
    }
  });

  it('are there for every preset', () => {
    for (const { backbone } of Object.values(presets)) expect(findBackbone(registry, backbone).id).toBe(backbone);
    expect(() => findBackbone(registry, 'resnet')).toThrow(
      /no backbone "resnet"\. Choose one of: efficientnet-lite2, /,
    );
    expect(() => findBundledBackbone(registry, 'dinov2-base')).toThrow(/does not come with Twinspect/);
  });

  it('take either form of their file, and compare what is pinned', async () => {
    const found = findBackbone(registry, 'dinov2-with-registers-small');
    if (found.bundled) throw new Error('not bundled');
    await expect(verifyBackbone(registry, found, folder)).rejects.toThrow(
      /weights of backbone "dinov2-with-registers-small" are not here\. Run: twinspect backbone fetch/,
    );
    const [, original] = found.files;
    const file = path.join(folder, original!.path);
    await mkdir(path.dirname(file));
    await writeFile(file, 'weights');
    expect(await verifyBackbone(registry, found, folder)).toEqual([file]);
    const sha256 = createHash('sha256').update('weights').digest('hex');
    const pinned = { ...found, files: [{ ...original!, bytes: 7, sha256 }] };
    expect(await verifyBackbone(registry, pinned, folder)).toEqual([file]);
    for (const wrong of [{ bytes: 8 }, { sha256: '0'.repeat(64) }]) {
      const other = { ...found, files: [{ ...original!, ...wrong }] };
      await expect(verifyBackbone(registry, other, folder)).rejects.toThrow(
        /is not the one the registry names \(7 bytes/,
      );
    }
  });
});
