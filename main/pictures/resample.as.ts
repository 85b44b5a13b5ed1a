// AssemblyScript: the two passes of the resampler with 128-bit integer SIMD. Built by build-wasm.mjs.
//
// Weights are 22-bit fixed point; `i32x4.dot_i16x8_s` multiplies 16-bit numbers, so each weight k is split into
// k = high * 2^11 + low with 0 <= low < 2^11. Sums stay exact: (sum high*p) * 2^11 + sum low*p in 32-bit arithmetic.

const ROUND: i32 = 1 << 21;

// @ts-ignore: decorator
@inline
function finish(high: v128, low: v128): v128 {
  return i32x4.shr_s(i32x4.add(i32x4.add(i32x4.shl(high, 11), low), i32x4.splat(ROUND)), 22);
}

/**
 * Rows of packed RGB to rows of `outWidth` packed RGB.
 * `first`: per output pixel the byte offset (i32) of its first tap in the row. `weights`: per output pixel `groups`
 * times 16 bytes for 4 taps: high (k0,k1), low (k0,k1), high (k2,k3), low (k2,k3) as i16. Reads up to 16 bytes past
 * the last tap and writes one byte past the row: both buffers are padded.
 */
export function horizontal(
  source: usize,
  sourceStride: i32,
  rows: i32,
  target: usize,
  targetStride: i32,
  outWidth: i32,
  first: usize,
  weights: usize,
  groups: i32,
): void {
  // [r0 r1 g0 g1 b0 b1 - -] as 16-bit lanes from packed RGB bytes; 128 picks zero.
  const pair01 = i8x16(0, -128, 3, -128, 1, -128, 4, -128, 2, -128, 5, -128, -128, -128, -128, -128);
  const pair23 = i8x16(6, -128, 9, -128, 7, -128, 10, -128, 8, -128, 11, -128, -128, -128, -128, -128);
  for (let y: i32 = 0; y < rows; y++) {
    let out = target + <usize>(y * targetStride);
    const row = source + <usize>(y * sourceStride);
    let w = weights;
    for (let x: i32 = 0; x < outWidth; x++) {
      let at = row + <usize>load<i32>(first + (<usize>x << 2));
      let high = i32x4.splat(0);
      let low = i32x4.splat(0);
      for (let g: i32 = 0; g < groups; g++) {
        const bytes = v128.load(at);
        const a = i8x16.swizzle(bytes, pair01);
        const b = i8x16.swizzle(bytes, pair23);
        high = i32x4.add(high, i32x4.dot_i16x8_s(a, v128.load32_splat(w)));
        low = i32x4.add(low, i32x4.dot_i16x8_s(a, v128.load32_splat(w, 4)));
        high = i32x4.add(high, i32x4.dot_i16x8_s(b, v128.load32_splat(w, 8)));
        low = i32x4.add(low, i32x4.dot_i16x8_s(b, v128.load32_splat(w, 12)));
        at += 12;
        w += 16;
      }
      const narrow = i16x8.narrow_i32x4_s(finish(high, low), high);
      store<i32>(out, i32x4.extract_lane(i8x16.narrow_i16x8_u(narrow, narrow), 0));
      out += 3;
    }
  }
}

/**
 * Blends rows. `stride` (of source and target) is a multiple of 16. `first`: per output row its first source row
 * (i32). `weights`: per output row `pairs` times 8 bytes for 2 taps: high (k0,k1), low (k0,k1) as i16. Reads up to
 * one row past the last one.
 */
export function vertical(
  source: usize,
  stride: i32,
  target: usize,
  outHeight: i32,
  first: usize,
  weights: usize,
  pairs: i32,
): void {
  for (let y: i32 = 0; y < outHeight; y++) {
    const rows = source + <usize>(load<i32>(first + (<usize>y << 2)) * stride);
    const rowWeights = weights + <usize>(y * pairs * 8);
    const out = target + <usize>(y * stride);
    for (let x: i32 = 0; x < stride; x += 16) {
      let h0 = i32x4.splat(0);
      let h1 = i32x4.splat(0);
      let h2 = i32x4.splat(0);
      let h3 = i32x4.splat(0);
      let l0 = i32x4.splat(0);
      let l1 = i32x4.splat(0);
      let l2 = i32x4.splat(0);
      let l3 = i32x4.splat(0);
      let at = rows + <usize>x;
      let w = rowWeights;
      for (let p: i32 = 0; p < pairs; p++) {
        const a = v128.load(at);
        const b = v128.load(at + <usize>stride);
        const near = i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const far = i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        const high = v128.load32_splat(w);
        const low = v128.load32_splat(w, 4);
        let lanes = i16x8.extend_low_i8x16_u(near);
        h0 = i32x4.add(h0, i32x4.dot_i16x8_s(lanes, high));
        l0 = i32x4.add(l0, i32x4.dot_i16x8_s(lanes, low));
        lanes = i16x8.extend_high_i8x16_u(near);
        h1 = i32x4.add(h1, i32x4.dot_i16x8_s(lanes, high));
        l1 = i32x4.add(l1, i32x4.dot_i16x8_s(lanes, low));
        lanes = i16x8.extend_low_i8x16_u(far);
        h2 = i32x4.add(h2, i32x4.dot_i16x8_s(lanes, high));
        l2 = i32x4.add(l2, i32x4.dot_i16x8_s(lanes, low));
        lanes = i16x8.extend_high_i8x16_u(far);
        h3 = i32x4.add(h3, i32x4.dot_i16x8_s(lanes, high));
        l3 = i32x4.add(l3, i32x4.dot_i16x8_s(lanes, low));
        at += <usize>(stride << 1);
        w += 8;
      }
      const front = i16x8.narrow_i32x4_s(finish(h0, l0), finish(h1, l1));
      const back = i16x8.narrow_i32x4_s(finish(h2, l2), finish(h3, l3));
      v128.store(out + <usize>x, i8x16.narrow_i16x8_u(front, back));
    }
  }
}
