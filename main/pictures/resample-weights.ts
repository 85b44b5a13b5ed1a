/**
 * Pillow's 8-bit resampling, bit-identical (method-spec section 1): antialiased when shrinking, horizontal pass first,
 * each pass rounded to 8 bit with 22-bit fixed-point weights. Checked against Pillow 9 to 12; Pillow 13 may swap the
 * two passes, which moves grey values a little.
 */
export type ResampleFilter = 'bilinear' | 'bicubic' | 'lanczos';

/** Weights are fixed point with this many bits behind the point. */
export const precisionBits = 22;

const bicubicA = -0.5;

function sinc(x: number): number {
  if (x === 0) return 1;
  const phase = x * Math.PI;
  return Math.sin(phase) / phase;
}

const kernels: Record<ResampleFilter, { radius: number; value(x: number): number }> = {
  bilinear: { radius: 1, value: (x) => (Math.abs(x) < 1 ? 1 - Math.abs(x) : 0) },
  bicubic: {
    radius: 2,
    value(signed) {
      const x = Math.abs(signed);
      if (x < 1) return ((bicubicA + 2) * x - (bicubicA + 3)) * x * x + 1;
      if (x < 2) return (((x - 5) * x + 8) * x - 4) * bicubicA;
      return 0;
    },
  },
  lanczos: { radius: 3, value: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** One axis: output `o` is the sum over `t < counts[o]` of input `first[o] + t` times `weights[o * maxTaps + t]`. */
export interface AxisWeights {
  maxTaps: number;
  first: Int32Array;
  counts: Int32Array;
  /** Fixed point, `precisionBits`. */
  weights: Int32Array;
}

/** Same operations in the same order as Pillow, so that every weight rounds to the same integer. */
function axisWeights(inSize: number, outSize: number, filter: ResampleFilter): AxisWeights {
  const kernel = kernels[filter];
  const scale = inSize / outSize;
  const stretch = Math.max(scale, 1);
  const support = kernel.radius * stretch;
  const shrink = 1 / stretch;
  const maxTaps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const counts = new Int32Array(outSize);
  const weights = new Int32Array(outSize * maxTaps);
  const raw = new Float64Array(maxTaps);
  for (let o = 0; o < outSize; o++) {
    const centre = (o + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(inSize, Math.trunc(centre + support + 0.5)) - from;
    let sum = 0;
    for (let t = 0; t < count; t++) {
      raw[t] = kernel.value((t + from - centre + 0.5) * shrink);
      sum += raw[t]!;
    }
    for (let t = 0; t < count; t++) {
      const weight = (sum === 0 ? raw[t]! : raw[t]! / sum) * (1 << precisionBits);
      weights[o * maxTaps + t] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[o] = from;
    counts[o] = count;
  }
  return { maxTaps, first, counts, weights };
}

/** The weights repeat for every picture of a camera: the last few axes are kept. */
const axisCache = new Map<string, AxisWeights>();

export function cachedAxis(inSize: number, outSize: number, filter: ResampleFilter): AxisWeights {
  const key = `${filter} ${inSize} ${outSize}`;
  let axis = axisCache.get(key);
  if (axis === undefined) {
    axis = axisWeights(inSize, outSize, filter);
    const oldest = axisCache.keys().next().value;
    if (axisCache.size >= 8 && oldest !== undefined) axisCache.delete(oldest);
    axisCache.set(key, axis);
  }
  return axis;
}
