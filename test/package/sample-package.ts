import { calibrateThresholds } from '../../shared/calibration/thresholds.ts';
import type { NormalPicture } from '../../main/package/manifest.ts';
import type { PackageContent } from '../../main/package/write-package.ts';
import { sha256Of } from '../../main/package/zip-members.ts';

/** Bytes that look random, the same every time. */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** A small complete package: two classes, every member present. */
export function sampleContent(): PackageContent {
  const normals: NormalPicture[] = ['Schraube groß', '너트 🔩'].flatMap((className, c) =>
    Array.from({ length: 5 + c }, (_, i) => ({
      sha256: sha256Of(noise(9, 100 * c + i)),
      fileName: `train/good/${i} ä.png`,
      className,
      heldOut: i < 2,
    })),
  );
  const held = normals.filter((picture) => picture.heldOut);
  return {
    manifest: {
      id: 'sample-0001',
      createdAt: '2026-01-02T03:04:05.000Z',
      productVersion: '0.1.0',
      preset: { name: 'embedded', constants: { steps: 300, learningRate: 2e-3, nested: { list: [1, null, 'a'] } } },
      seed: 0,
      engine: { engine: 'onnx', provider: 'cpu', threads: 1, mode: 'loop' },
      libraries: { 'onnxruntime-node': '1.30.0', '@tensorflow/tfjs-core': '4.22.0' },
      backbone: { id: 'efficientnet-lite2', sha256: sha256Of(noise(3)) },
      inputSize: 256,
      outputs: ['predScore', 'localScore', 'semanticScore', 'memoryScore', 'anomalyMap', 'nearestNormal'],
      classes: [
        { name: 'Schraube groß', normalCount: 5, heldOutCount: 2, fusedScore: { mean: 0.7, sd: 0.2 } },
        { name: '너트 🔩', normalCount: 6, heldOutCount: 2, fusedScore: null },
      ],
      thresholds: calibrateThresholds({
        scores: held.map((_, i) => 0.5 + i / 10),
        classNames: held.map((picture) => picture.className),
      }),
      parity: { maxAbsDifference: 2e-6, verdictFlips: 0, pictures: 11, tolerance: 1e-4 },
      metrics: null,
      attribution: ['Backbone: EfficientNet-Lite2, Apache-2.0', 'Pictures: CC BY 4.0'],
      notes: 'first line\nsecond line',
    },
    normals,
    graph: noise(20_000),
    calibration: { sources: ['held out'] },
    statistics: noise(3000, 7),
  };
}
