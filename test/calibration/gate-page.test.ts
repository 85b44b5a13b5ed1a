import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changedPictures } from '../../main/calibration/gate-heat.ts';
import { gatePage } from '../../main/calibration/gate-page.ts';
import { readPicture } from '../../main/pictures/decode.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import type { GateResult } from '../../shared/calibration/gates.ts';
import { brightnessDetector } from '../cli/fakes.ts';
import { greyPng } from '../cli/pictures.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect gate ö '));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A model whose heat lies in one corner of the map. */
function seeing(corner: 'first' | 'last') {
  const detector = brightnessDetector();
  return {
    ...detector,
    inspect: async (pictures: Parameters<typeof detector.inspect>[0]) =>
      (await detector.inspect(pictures)).map((result) => {
        const anomalyMap = new Float32Array(result.mapWidth * result.mapHeight);
        anomalyMap[corner === 'first' ? 0 : anomalyMap.length - 1] = 1;
        return { ...result, predScore: 9, anomalyMap };
      }),
  };
}

test('a changed picture is shown twice, each time with the heat map of the model that judged it', async () => {
  const file = path.join(folder, 'part.png');
  await writeFile(file, greyPng(128, 64));
  const changed = {
    id: file,
    className: 'tile',
    gtLabel: 'good' as const,
    effect: 'worse' as const,
    active: 'pass' as const,
    candidate: 'fail' as const,
    activeScore: 1,
    candidateScore: 9,
  };
  const gates = [{ gate: 'goldenSet', outcome: 'refused', checks: [], override: null, changed: [changed] }];
  const results = gates as unknown as GateResult[];
  const prepare = async (of: string, size: number) => preparePicture(await readPicture(of), { size });
  const models = { active: seeing('first'), candidate: seeing('last') };
  const seen = await changedPictures(results, models, prepare, 10);
  const { active, candidate } = seen.get(file)!;
  expect(active).toMatch(/^data:image\/png;base64,/);
  expect(active).not.toBe(candidate);
  const page = gatePage({
    active: { path: 'a.twin', modelHash: 'a'.repeat(64) },
    candidate: { path: 'b.twin', modelHash: 'b'.repeat(64) },
    open: false,
    gates: results,
    at: '2026-01-01',
    seen,
  });
  expect(page).toContain(active);
  expect(page).toContain(candidate);
  expect(page).not.toContain('file://');
});
