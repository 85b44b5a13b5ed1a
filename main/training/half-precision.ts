/** IEEE half precision for cached features: half the disk, a relative error of at most 2^-11. */

const largestHalf = 65504;
const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** Values as raw half-precision bits, rounded to nearest even; beyond the largest half they stay at it. */
export function toHalf(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    word[0] = value > largestHalf ? largestHalf : value < -largestHalf ? -largestHalf : value;
    const b = bits[0]!;
    const sign = (b >>> 16) & 0x8000;
    const exponent = ((b >>> 23) & 0xff) - 112;
    if (exponent > 142) {
      out[i] = sign | 0x7e00; // NaN
    } else if (exponent > 0) {
      // A carry out of the fraction moves the exponent up, as it should.
      const rounded = (exponent << 10) + ((b >>> 13) & 0x3ff) + roundsUp(b & 0x1fff, 0x1000, (b >>> 13) & 1);
      out[i] = sign | rounded;
    } else if (exponent < -10) {
      out[i] = sign;
    } else {
      const fraction = (b & 0x7fffff) | 0x800000;
      const shift = 14 - exponent;
      const kept = fraction >>> shift;
      out[i] = sign | (kept + roundsUp(fraction & ((1 << shift) - 1), 1 << (shift - 1), kept & 1));
    }
  }
  return out;
}

/** 1 where what is cut off is more than half a unit, or half a unit of an odd number. */
function roundsUp(cut: number, half: number, odd: number): number {
  return cut > half || (cut === half && odd === 1) ? 1 : 0;
}

let table: Float32Array | undefined;

/** The value of every half, in the order of the bits. */
function halfTable(): Float32Array {
  if (table !== undefined) return table;
  table = new Float32Array(65536);
  for (let i = 0; i < 65536; i++) {
    const exponent = (i >> 10) & 0x1f;
    const fraction = i & 0x3ff;
    const size =
      exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[i] = i & 0x8000 ? -size : size;
  }
  return table;
}

/** Raw half-precision bits as float32, exactly. */
export function fromHalf(halves: Uint16Array): Float32Array {
  const values = halfTable();
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = values[halves[i]!]!;
  return out;
}
