import { describe, expect, test } from 'vitest';
import { measurePicture } from '../../shared/drift/measure.ts';
import { register, standardised } from '../../shared/drift/registration.ts';
import { createRandom } from '../../shared/random.ts';

interface Rgb {
  width: number;
  height: number;
  data: Uint8Array;
}

/** A part with structure: smooth blobs, drawn from a formula so that it can be moved by fractions of a pixel. */
function part({ dx = 0, dy = 0, degrees = 0, gain = 1, cast = [1, 1, 1] } = {}): Rgb {
  const size = 160;
  const random = createRandom(5);
  const blobs = Array.from({ length: 12 }, () => ({
    x: 30 + random.int(100),
    y: 30 + random.int(100),
    width: 6 + random.int(14),
    height: random.next() < 0.5 ? -70 : 70,
  }));
  const data = new Uint8Array(3 * size * size);
  const angle = (-degrees * Math.PI) / 180;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const cx = x - 79.5 - dx;
      const cy = y - 79.5 - dy;
      const px = Math.cos(angle) * cx - Math.sin(angle) * cy + 79.5;
      const py = Math.sin(angle) * cx + Math.cos(angle) * cy + 79.5;
      let value = 120;
      for (const blob of blobs) {
        value += blob.height * Math.exp(-((px - blob.x) ** 2 + (py - blob.y) ** 2) / (2 * blob.width ** 2));
      }
      for (let c = 0; c < 3; c++) {
        data[3 * (y * size + x) + c] = Math.min(255, Math.max(0, Math.round(gain * cast[c]! * value)));
      }
    }
  }
  return { width: size, height: size, data };
}

describe('numbers of a picture', () => {
  const plain = measurePicture(part());

  test('a weaker lamp moves brightness and nothing else', () => {
    const dark = measurePicture(part({ gain: 0.8 }));
    expect(dark.brightness / plain.brightness).toBeCloseTo(0.8, 2);
    expect(dark.contrast).toBeCloseTo(plain.contrast, 2);
    expect(dark.sharpness).toBeCloseTo(plain.sharpness, 1);
    expect(dark.redCast).toBeCloseTo(plain.redCast, 2);
  });

  test('a colour cast moves its own number', () => {
    const reddish = measurePicture(part({ cast: [1.1, 1, 1] }));
    expect(reddish.redCast - plain.redCast).toBeCloseTo(Math.log(1.1), 2);
    expect(reddish.blueCast).toBeCloseTo(plain.blueCast, 3);
  });

  test('a picture of one colour has finite numbers', () => {
    for (const level of [0, 128, 255]) {
      const { thumbnail, ...numbers } = measurePicture({
        width: 64,
        height: 64,
        data: new Uint8Array(64 * 64 * 3).fill(level),
      });
      for (const value of Object.values(numbers)) expect(Number.isFinite(value)).toBe(true);
      expect(register(thumbnail, standardised(plain.thumbnail))).toMatchObject({ likeness: 0 });
    }
    expect(() => measurePicture({ width: 8, height: 8, data: new Uint8Array(192) })).toThrow(RangeError);
  });
});

describe('registration', () => {
  const reference = standardised(measurePicture(part()).thumbnail);
  test.each([
    [0, 0, 0],
    [3.2, 0, 0],
    [0, -4.8, 0],
    [8, 5, 0],
    [0, 0, 3],
    [0, 0, -7],
    [-6, 4, 4],
    [20, -16, 0],
  ])('finds a shift of %d, %d pixels and %d degrees', (dx, dy, degrees) => {
    const found = register(measurePicture(part({ dx, dy, degrees, gain: 0.7 })).thumbnail, reference);
    expect(Math.abs(found.shiftX - (100 * dx) / 160)).toBeLessThan(0.5);
    expect(Math.abs(found.shiftY - (100 * dy) / 160)).toBeLessThan(0.5);
    expect(Math.abs(found.rotation - degrees)).toBeLessThan(0.5);
    expect(found.likeness).toBeGreaterThan(0.97);
  });
});
