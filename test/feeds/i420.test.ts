import fc from 'fast-check';
import { expect, test } from 'vitest';
import { i420Bytes, pictureFromI420, type SampleRange } from '../../main/feeds/i420.ts';

/** ITU-R BT.601 as the recommendation writes it, one pixel at a time. */
function reference(y: number, cb: number, cr: number, range: SampleRange): number[] {
  const luma = range === 'limited' ? (y - 16) / 219 : y / 255;
  const [b, r] = [cb, cr].map((value) => (value - 128) / (range === 'limited' ? 224 : 255)) as [number, number];
  const red = luma + 1.402 * r;
  const blue = luma + 1.772 * b;
  const green = (luma - 0.299 * red - 0.114 * blue) / 0.587;
  return [red, green, blue].map((value) => 255 * value);
}

test.each(['limited', 'full'] as const)(
  '%s range: every pixel is the formula, rounded and held within 0..255',
  (range) => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(byte, byte, byte, (y, cb, cr) => {
        const { data } = pictureFromI420(Uint8Array.of(y, y, y, y, cb, cr), 2, 2, range);
        reference(y, cb, cr, range).forEach((value, channel) => {
          const held = Math.min(255, Math.max(0, value));
          for (let pixel = 0; pixel < 4; pixel++) {
            expect(Math.abs(data[3 * pixel + channel]! - held)).toBeLessThanOrEqual(0.5 + 1e-9);
          }
        });
      }),
    );
  },
);

test('black, white and grey of both ranges', () => {
  const grey = (y: number, range: SampleRange) => [...pictureFromI420(Uint8Array.of(y, 128, 128), 1, 1, range).data];
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
  const { data } = pictureFromI420(frame, 3, 3, 'full');
  const red = Array.from({ length: 9 }, (_, i) => data[3 * i]);
  expect(red).toEqual([128, 128, 128, 128, 128, 128, 128, 128, 255]);
});

test('a buffer of another size is refused', () => {
  expect(() => pictureFromI420(new Uint8Array(10), 4, 4)).toThrow(RangeError);
  expect(() => pictureFromI420(new Uint8Array(0), 0, 0)).toThrow(RangeError);
});

test('colours survive the way through JPEG-like full range within rounding', () => {
  const [r, g, b] = [200, 40, 90];
  const y = 0.299 * r + 0.587 * g + 0.114 * b;
  const frame = [y, y, y, y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402].map(Math.round);
  const { data } = pictureFromI420(Uint8Array.from(frame), 2, 2, 'full');
  [r, g, b].forEach((value, i) => expect(Math.abs(data[i]! - value)).toBeLessThanOrEqual(2));
});
