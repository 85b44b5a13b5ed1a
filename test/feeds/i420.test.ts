import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  coloursFromI420,
  i420Bytes,
  i420FromNv12,
  i420FromRgba,
  type ColourMatrix,
  type FrameColours,
  type SampleRange,
} from '../../shared/frame/i420.ts';
import { CameraFeed } from '../../main/feeds/camera.ts';
import { SeenSet } from '../../main/inspection/seen-set.ts';
import { readPart } from '../../main/processes/inference/read-part.ts';
import { losslessPng } from '../../main/processes/inference/evidence.ts';
import fc from '../seeded-fast-check.ts';

const all = (['bt601', 'bt709', 'bt2020'] as const).flatMap((matrix) =>
  (['limited', 'full'] as const).map((range): FrameColours => ({ matrix, range })),
);

/** The shares of red and blue as the three recommendations print them. */
const printed: Record<ColourMatrix, [number, number]> = {
  bt601: [0.299, 0.114],
  bt709: [0.2126, 0.0722],
  bt2020: [0.2627, 0.0593],
};

/** The recommendations' formula, one pixel at a time. */
function reference(y: number, cb: number, cr: number, { range, matrix }: FrameColours): number[] {
  const [kr, kb] = printed[matrix];
  const luma = range === 'limited' ? (y - 16) / 219 : y / 255;
  const [b, r] = [cb, cr].map((value) => (value - 128) / (range === 'limited' ? 224 : 255)) as [number, number];
  const red = luma + (2 - 2 * kr) * r;
  const blue = luma + (2 - 2 * kb) * b;
  const green = (luma - kr * red - kb * blue) / (1 - kr - kb);
  return [red, green, blue].map((value) => 255 * value);
}

test.each(all)('$matrix, $range range: every pixel is the formula, rounded and held within 0..255', (colours) => {
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(byte, byte, byte, (y, cb, cr) => {
      const data = coloursFromI420(Uint8Array.of(y, y, y, y, cb, cr), 2, 2, colours, 3);
      reference(y, cb, cr, colours).forEach((value, channel) => {
        const held = Math.min(255, Math.max(0, value));
        for (let pixel = 0; pixel < 4; pixel++) {
          expect(Math.abs(data[3 * pixel + channel]! - held)).toBeLessThanOrEqual(0.5 + 1e-9);
        }
      });
    }),
  );
});

test('black, white and grey of both ranges; four channels hold the same colours as three', () => {
  const grey = (y: number, range: SampleRange) =>
    [...coloursFromI420(Uint8Array.of(y, 128, 128), 1, 1, { range, matrix: 'bt709' }, 4)].slice(0, 3);
  expect(grey(16, 'limited')).toEqual([0, 0, 0]);
  expect(grey(235, 'limited')).toEqual([255, 255, 255]);
  expect(grey(0, 'full')).toEqual([0, 0, 0]);
  expect(grey(255, 'full')).toEqual([255, 255, 255]);
  expect(grey(77, 'full')).toEqual([77, 77, 77]);
});

test('odd sizes: each chroma sample belongs to two by two pixels', () => {
  expect(i420Bytes(3, 3)).toBe(9 + 2 * 4);
  const frame = new Uint8Array(i420Bytes(3, 3)).fill(128);
  // Cr of the last column and row.
  frame[9 + 4 + 3] = 255;
  const data = coloursFromI420(frame, 3, 3, { range: 'full', matrix: 'bt601' }, 3);
  const red = Array.from({ length: 9 }, (_, i) => data[3 * i]);
  expect(red).toEqual([128, 128, 128, 128, 128, 128, 128, 128, 255]);
});

test('a buffer of another size is refused', () => {
  const colours: FrameColours = { range: 'limited', matrix: 'bt601' };
  expect(() => coloursFromI420(new Uint8Array(10), 4, 4, colours, 3)).toThrow(RangeError);
  expect(() => coloursFromI420(new Uint8Array(0), 0, 0, colours, 3)).toThrow(RangeError);
});

test('the interleaved chroma of NV12 is taken apart', () => {
  const nv12 = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 50, 60, 51, 61]);
  expect([...i420FromNv12(nv12, 4, 2)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 50, 51, 60, 61]);
});

/** Colours in blocks of two by two, so that halving the chroma takes nothing away: `[side, side, 4]`. */
function blocks(side: number): Uint8ClampedArray {
  const rgba = new Uint8ClampedArray(4 * side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const block = (y >> 1) * (side / 2) + (x >> 1);
      rgba.set([(block * 37) % 256, (block * 91) % 256, (block * 53) % 256, 255], 4 * (y * side + x));
    }
  }
  return rgba;
}

test.each(all)(
  '$matrix, $range range: by camera and by file, the same pixels are the same picture',
  async (colours) => {
    const side = 32;
    const rgba = blocks(side);
    const aborted = new AbortController();
    const camera = new CameraFeed(
      {
        kind: 'camera',
        deviceLabel: 'c',
        widthPx: side,
        heightPx: side,
        frameRate: 30,
        trigger: 'key',
        timerMs: 1000,
        locked: {},
      },
      {
        lot: () => '',
        knownFiles: new SeenSet(),
        outputFolder: null,
        onNews: () => undefined,
        signal: aborted.signal,
      },
    );
    const i420 = i420FromRgba(rgba, side, side, colours);
    void camera.take({
      type: 'frame',
      triggered: true,
      width: side,
      height: side,
      i420,
      colours,
      takenAt: 0,
      serial: null,
    });
    const { value: part } = await camera[Symbol.asyncIterator]().next();
    aborted.abort();
    const byCamera = (await readPart(part!))!;

    const folder = await mkdtemp(join(tmpdir(), 'twinspect-frame-'));
    try {
      const path = join(folder, 'same.png');
      const rgb = Uint8Array.from({ length: 3 * side * side }, (_, i) => rgba[4 * Math.floor(i / 3) + (i % 3)]!);
      await writeFile(path, await losslessPng({ width: side, height: side, data: rgb }));
      const byFile = (await readPart({ file: path, path, serial: null, lot: null, className: null }))!;
      const off = byFile.picture!.data.map((value, i) => Math.abs(value - byCamera.picture!.data[i]!));
      // Three roundings to whole samples, of which limited range has fewer than there are bytes.
      expect(Math.max(...off)).toBeLessThanOrEqual(colours.range === 'limited' ? 3 : 2);
      // What is kept of the frame is what was judged, byte for byte.
      await writeFile(path, byCamera.bytes!);
      const kept = (await readPart({ file: path, path, serial: null, lot: null, className: null }))!;
      expect(kept.picture!.data).toEqual(byCamera.picture!.data);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
