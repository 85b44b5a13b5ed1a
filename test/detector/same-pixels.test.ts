import { decode, encode } from 'fast-png';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DetectionResult } from '../../shared/detection.ts';
import type { Detector } from '../../main/detector/detector.ts';
import { openDetector } from '../../main/detector/open-detector.ts';
import { decodePicture } from '../../main/pictures/decode.ts';
import { pictureFromRgba, type Picture } from '../../main/pictures/picture.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { trainModel } from '../../main/training/run.ts';
import { ignore, never, pictures, twoParts, Workplace } from '../training/small-data.ts';
import { bmpOf, tiffOf } from './picture-files.ts';

let place: Workplace;
let detector: Detector;

beforeAll(async () => {
  place = await Workplace.make();
  await place.part(twoParts[0], { 'train/good': 3 });
  const request = place.request();
  await trainModel(request, ignore, never);
  detector = await openDetector(request.out, { engine: 'cpu', threads: 1 });
}, 300_000);

afterAll(async () => {
  await detector.close();
  await place.remove();
});

async function scoresOf(list: readonly Picture[]): Promise<DetectionResult[]> {
  return detector.inspect(list.map((p) => preparePicture(p, { size: detector.inputSize, filter: 'bilinear' })));
}

describe('the same pixels', () => {
  it('score the same from PNG, BMP, TIFF and a raw RGBA buffer, alone and in a batch', async () => {
    const [file] = await pictures(twoParts[0], 'test/impurity', 1);
    const png = await readFile(file!);
    const { width, height, data, channels } = decode(png);
    expect(channels).toBe(3);
    const rgb = Uint8Array.from(data);
    const rgba = new Uint8Array(width * height * 4);
    for (let i = 0; i < width * height; i++) {
      rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
      // What a camera leaves there counts for nothing.
      rgba[4 * i + 3] = i % 256;
    }
    const deep = Uint16Array.from(rgb, (value) => value * 257);
    const ways: Record<string, Picture> = {
      png: await decodePicture(png, 'part.png'),
      'png with alpha': await decodePicture(encode({ width, height, channels: 4, depth: 8, data: rgba }), 'alpha.png'),
      '16-bit png': await decodePicture(encode({ width, height, channels: 3, depth: 16, data: deep }), 'deep.png'),
      bmp: await decodePicture(bmpOf(width, height, rgb), 'part.bmp'),
      tiff: await decodePicture(tiffOf(width, height, rgb), 'part.tif'),
      'raw rgba': pictureFromRgba(rgba, width, height),
    };
    const alone: Record<string, DetectionResult> = {};
    for (const [way, picture] of Object.entries(ways)) [alone[way]] = (await scoresOf([picture])) as [DetectionResult];
    const expected = alone['png']!;
    expect(Number.isFinite(expected.predScore)).toBe(true);
    for (const [way, { predScore, anomalyMap, nearestNormal }] of Object.entries(alone)) {
      expect(predScore, way).toBe(expected.predScore);
      expect(nearestNormal, way).toBe(expected.nearestNormal);
      expect(Buffer.compare(Buffer.from(anomalyMap.buffer), Buffer.from(expected.anomalyMap.buffer)), way).toBe(0);
    }
    for (const { predScore } of await scoresOf(Object.values(ways)))
      expect(predScore).toBeCloseTo(expected.predScore, 4);

    const changed = Uint8Array.from(rgb);
    changed.fill(0, 0, 3 * width * 8);
    const [other] = await scoresOf([{ width, height, data: changed }]);
    expect(other!.predScore).not.toBe(expected.predScore);
  });

  it('score the same twice, and in any order', async () => {
    const list = await Promise.all(
      (await pictures(twoParts[0], 'test/good', 3)).map(async (file) => decodePicture(await readFile(file), file)),
    );
    const there = (await scoresOf(list)).map(({ predScore }) => predScore);
    const back = (await scoresOf(list.toReversed())).map(({ predScore }) => predScore);
    expect((await scoresOf(list)).map(({ predScore }) => predScore)).toEqual(there);
    back.reverse().forEach((score, i) => expect(score).toBeCloseTo(there[i]!, 4));
  });
});
