import { describe, expect, it } from 'vitest';
import {
  cholesky,
  columnMeans,
  gram,
  invertLower,
  matrixOf,
  solveLower,
  stackRows,
  symmetricEigenvectors,
  takeRows,
  transposed,
} from '../../shared/linear-algebra.ts';
import { createRandom } from '../../shared/random.ts';

function randomRows(rows: number, cols: number, seed: number): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length: rows * cols }, () => random.normal());
}

function product(a: Float64Array, b: Float64Array, rows: number, inner: number, cols: number): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++)
      for (let k = 0; k < inner; k++) out[i * cols + j]! += a[i * inner + k]! * b[k * cols + j]!;
  }
  return out;
}

function expectClose(actual: Float64Array, expected: Float64Array, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < actual.length; i++) worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
  expect(worst).toBeLessThan(tolerance);
}

function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
}

describe('matrices', () => {
  it('refuses data of another size', () => {
    expect(() => matrixOf(2, 3, new Float32Array(5))).toThrow(RangeError);
  });

  it('takes and stacks rows, and averages columns', () => {
    const m = matrixOf(3, 2, Float32Array.of(1, 2, 3, 4, 5, 9));
    expect([...takeRows(m, [2, 0]).data]).toEqual([5, 9, 1, 2]);
    expect([...stackRows([m, takeRows(m, [1])], 2).data]).toEqual([1, 2, 3, 4, 5, 9, 3, 4]);
    expect([...columnMeans(m)]).toEqual([3, 5]);
    expect([...columnMeans(matrixOf(0, 2))]).toEqual([0, 0]);
    expect(() => stackRows([m], 3)).toThrow(RangeError);
  });
});

describe('gram', () => {
  it.each([1, 2, 5, 8])("is A A' for %i rows", (n) => {
    const a = randomRows(n, 7, n);
    expectClose(gram(a, n, 7), product(a, transposed(a, n, 7), n, 7, n), 1e-12);
  });
});

describe('cholesky', () => {
  it.each([1, 3, 40])('factors, solves and inverts size %i', (n) => {
    const a = gram(randomRows(n, n + 5, n), n, n + 5);
    const lower = cholesky(a, n);
    expectClose(product(lower, transposed(lower, n, n), n, n, n), a, 1e-10);
    const inverse = invertLower(lower, n);
    expectClose(product(lower, inverse, n, n, n), identity(n), 1e-10);
    const b = randomRows(n, 4, 9);
    expectClose(solveLower(lower, n, b.slice(), 4), product(inverse, b, n, n, 4), 1e-9);
  });

  it('says that a matrix is singular or not finite', () => {
    expect(() => cholesky(Float64Array.of(1, 1, 1, 1), 2)).toThrow(/pivot 1/);
    expect(() => cholesky(Float64Array.of(NaN), 1)).toThrow(RangeError);
  });
});

describe('symmetricEigenvectors', () => {
  it.each([1, 2, 3, 10, 65])('diagonalises size %i, largest first', (n) => {
    const a = gram(randomRows(n, Math.max(1, n - 2), n), n, Math.max(1, n - 2));
    const v = symmetricEigenvectors(a, n);
    const turned = product(product(v, a, n, n, n), transposed(v, n, n), n, n, n);
    const values = Array.from({ length: n }, (_, i) => Math.round(1e9 * turned[i * n + i]!));
    expectClose(product(v, transposed(v, n, n), n, n, n), identity(n), 1e-11);
    expectClose(
      turned,
      Float64Array.from(turned, (value, i) => (i % (n + 1) === 0 ? value : 0)),
      1e-10 * (1 + n),
    );
    expect(values).toEqual(values.toSorted((x, y) => y - x));
  });

  it('leaves diagonal, zero and repeated eigenvalues alone', () => {
    expectClose(symmetricEigenvectors(new Float64Array(9), 3), identity(3), 1e-15);
    const v = symmetricEigenvectors(Float64Array.of(1, 0, 0, 0, 3, 0, 0, 0, 3), 3);
    expectClose(product(v, transposed(v, 3, 3), 3, 3, 3), identity(3), 1e-14);
    expect(Math.abs(v[6]!)).toBeCloseTo(1, 12);
  });
});
