import { describe, expect, it } from 'vitest';
import { quantiseRows, toHalf } from '../../main/backbones/teacher-weights.ts';
import { halfToFloat } from '../../main/backbones/weight-tensor.ts';
import { seededRandom } from './mutate-weights.ts';

const half = (...values: number[]) => [...toHalf(Float32Array.from(values), 'x')];

describe('toHalf', () => {
  it('gives every finite half-precision number back', () => {
    const bits = Array.from({ length: 65_536 }, (_, i) => i).filter((i) => (i & 0x7c00) !== 0x7c00);
    expect(half(...bits.slice(0, 31_744).map(halfToFloat))).toEqual(bits.slice(0, 31_744));
    expect(half(...bits.slice(31_744).map(halfToFloat))).toEqual(bits.slice(31_744));
  });

  it('rounds to the nearest, ties to even', () => {
    for (const bits of [0, 1, 2, 3, 0x3fe, 0x3ff, 0x400, 0x401, 0x3bff, 0x3c00, 0x3c01, 0x7bfe]) {
      const [low, high] = [halfToFloat(bits), halfToFloat(bits + 1)];
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      expect(half(middle), `between ${bits} and the next`).toEqual([even]);
      expect(half(low + (high - low) * 0.49)).toEqual([bits]);
      expect(half(low + (high - low) * 0.51)).toEqual([bits + 1]);
      expect(half(-middle)).toEqual([even | 0x8000]);
    }
    expect(half(1e-9, 65_519)).toEqual([0, 0x7bff]);
  });

  it('refuses what is too large, naming the tensor', () => {
    expect(() => half(65_520)).toThrow(/Tensor 'x' holds 65520, too large for float16\. Use float32/);
  });
});

describe('quantiseRows', () => {
  it('stays within half a step of every weight, in 7 bits, transposed', () => {
    const random = seededRandom(3);
    const [rows, columns] = [5, 70];
    const data = Float32Array.from(
      { length: rows * columns },
      (_, i) => (random() - 0.5) * 10 ** Math.floor(i / columns),
    );
    data.fill(0, 2 * columns, 3 * columns);
    const { q, scale } = quantiseRows(data, rows, columns);
    expect(Math.max(...q.map(Math.abs))).toBe(63);
    for (let n = 0; n < rows; n += 1) {
      for (let k = 0; k < columns; k += 1) {
        const back = q[k * rows + n]! * scale[n]!;
        expect(Math.abs(back - data[n * columns + k]!)).toBeLessThanOrEqual(scale[n]! * 0.5001);
      }
    }
    expect(scale[2]).toBe(1);
  });
});
