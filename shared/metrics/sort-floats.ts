/** Below this length the built-in sort is as quick and needs no second buffer. */
const RADIX_FROM = 1 << 16;
const DIGIT_BITS = 11;
const DIGIT_MASK = (1 << DIGIT_BITS) - 1;

/**
 * Turns the bit patterns of 32-bit floats into unsigned integers of the same order (-0 becomes 0, so that equal
 * stays equal; every NaN becomes the largest integer, so that it sorts last).
 */
export function orderedKey(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return 0xffffffff;
  if (bits === 0x80000000) return 0x80000000;
  return (bits >= 0x80000000 ? ~bits : bits ^ 0x80000000) >>> 0;
}

/** Inverse of {@link orderedKey}; the largest integer gives a NaN. */
export function bitsOfKey(key: number): number {
  return (key >= 0x80000000 ? key ^ 0x80000000 : ~key) >>> 0;
}

/**
 * Sorts 32-bit floats ascending in place, NaN last. Exact. Large arrays take a three-pass radix sort on the bit
 * patterns: several times faster than comparing, for one buffer more of the same size.
 */
export function sortFloats(values: Float32Array): void {
  if (values.length < RADIX_FROM) {
    values.sort();
    return;
  }
  const keys = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const spare = new Uint32Array(values.length);
  for (let i = 0; i < keys.length; i++) keys[i] = orderedKey(keys[i]!);
  radixPass(keys, spare, 0);
  radixPass(spare, keys, DIGIT_BITS);
  radixPass(keys, spare, 2 * DIGIT_BITS);
  for (let i = 0; i < keys.length; i++) keys[i] = bitsOfKey(spare[i]!);
}

/** One stable counting pass over the digit at `shift`. */
function radixPass(from: Uint32Array, to: Uint32Array, shift: number): void {
  const next = new Uint32Array(DIGIT_MASK + 1);
  for (let i = 0; i < from.length; i++) next[(from[i]! >>> shift) & DIGIT_MASK]!++;
  for (let digit = 0, start = 0; digit < next.length; digit++) {
    const count = next[digit]!;
    next[digit] = start;
    start += count;
  }
  for (let i = 0; i < from.length; i++) {
    const key = from[i]!;
    to[next[(key >>> shift) & DIGIT_MASK]!++] = key;
  }
}
