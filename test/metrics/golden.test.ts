import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { connectedRegions } from '../../shared/metrics/regions.ts';
import { auproStepped, pixelMetrics, type PixelTruth } from '../../shared/metrics/pixels.ts';
import { auroc, averagePrecision, f1Max } from '../../shared/metrics/ranking.ts';

const golden = new URL('../fixtures/golden/cases/', import.meta.url);

interface ImageCase {
  labels: number[];
  scores: number[];
  auroc: number;
  average_precision: number;
  f1_max: number;
  f1_max_threshold: number;
  f1_max_dinomaly: number;
}

interface PixelCase {
  regions_per_image: number[];
  aupro_dinomaly_200: number;
  aupro_ader_200: number;
  aupro_exact: number;
  pixel_auroc: number;
  pixel_ap: number;
  pixel_f1_max: number;
}

const imageCases = JSON.parse(readFileSync(new URL('metrics.json', golden), 'utf8')) as Record<string, ImageCase>;
const pixelCases = JSON.parse(readFileSync(new URL('aupro.json', golden), 'utf8')) as Record<string, PixelCase>;

/** Just enough of the safetensors layout for this one trusted fixture. */
function tensors(): Record<string, Uint8Array> {
  const file = readFileSync(new URL('aupro.safetensors', golden));
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<string, { data_offsets?: number[] }>;
  return Object.fromEntries(
    Object.entries(header).flatMap(([name, { data_offsets: range }]) =>
      range === undefined ? [] : [[name, file.subarray(8 + headerLength + range[0]!, 8 + headerLength + range[1]!)]],
    ),
  );
}

describe('image metrics agree with the golden vectors to 1e-12', () => {
  it.each(Object.entries(imageCases))('%s', (_name, wanted) => {
    const { labels, scores } = wanted;
    expect(auroc(labels, scores)).toBeCloseTo(wanted.auroc, 12);
    expect(averagePrecision(labels, scores)).toBeCloseTo(wanted.average_precision, 12);
    expect(f1Max(labels, scores)?.value).toBeCloseTo(wanted.f1_max, 12);
    expect(f1Max(labels, scores)?.threshold).toBe(wanted.f1_max_threshold);
    expect(f1Max(labels, scores, 1e-7)?.value).toBeCloseTo(wanted.f1_max_dinomaly, 12);
  });
});

describe('pixel metrics agree with the golden vectors to 1e-9', () => {
  const data = tensors();
  const side = 24;
  const count = 4;
  it.each(Object.entries(pixelCases))('%s', (name, wanted) => {
    const maps = new Float32Array(new Uint8Array(data[name]!).buffer);
    const pictures: PixelTruth[] = Array.from({ length: count }, (_, i) => ({
      width: side,
      height: side,
      anomalyMap: maps.subarray(i * side * side, (i + 1) * side * side),
      gtMask: data['masks']!.subarray(i * side * side, (i + 1) * side * side),
    }));
    expect(pictures.map(({ gtMask }) => connectedRegions(gtMask!, side, side).count)).toEqual(wanted.regions_per_image);
    const metrics = pixelMetrics(pictures);
    expect(metrics.pixelAuroc).toBeCloseTo(wanted.pixel_auroc, 9);
    expect(metrics.pixelAp).toBeCloseTo(wanted.pixel_ap, 9);
    expect(metrics.pixelF1Max).toBeCloseTo(wanted.pixel_f1_max, 9);
    expect(metrics.aupro).toBeCloseTo(wanted.aupro_exact, 9);
    expect(auproStepped(pictures)).toBeCloseTo(wanted.aupro_dinomaly_200, 9);
    expect(auproStepped(pictures, { normalise: 'minMax' })).toBeCloseTo(wanted.aupro_ader_200, 9);
  });
});
