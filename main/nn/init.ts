/** Fresh parameters: which tensors a network has, how each starts, and dropout masks. Pure arrays, no tensors. */
import type { Random } from '../../shared/random.ts';
import type { TensorSpec } from './training-step.ts';

/** How a parameter starts. */
export type Init =
  | { readonly kind: 'constant'; readonly value: number }
  /** Normal with standard deviation `sd`, drawn again beyond +-`limit`. */
  | { readonly kind: 'truncNormal'; readonly sd: number; readonly limit: number }
  /** Uniform in +-`bound`. */
  | { readonly kind: 'uniform'; readonly bound: number };

export interface ParamSpec extends TensorSpec {
  readonly init: Init;
}

/** One tensor's values, row-major. */
export interface NamedArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export const zeros: Init = { kind: 'constant', value: 0 };
export const ones: Init = { kind: 'constant', value: 1 };

/** PyTorch's `trunc_normal_(std)`: cut at +-2 absolute, which for small `sd` cuts nothing. */
export function truncNormal(sd: number, limit = 2): Init {
  return { kind: 'truncNormal', sd, limit };
}

/** `{name}.weight` `[out, in]` with the given start, `{name}.bias` `[out]` at 0. */
export function linearSpecs(name: string, inWidth: number, outWidth: number, init: Init): ParamSpec[] {
  return [
    { name: `${name}.weight`, shape: [outWidth, inWidth], init },
    { name: `${name}.bias`, shape: [outWidth], init: zeros },
  ];
}

/** `{name}.weight` at 1 and `{name}.bias` at 0. */
export function normSpecs(name: string, width: number): ParamSpec[] {
  return [
    { name: `${name}.weight`, shape: [width], init: ones },
    { name: `${name}.bias`, shape: [width], init: zeros },
  ];
}

/** One transformer block of width `c`, MLP four times as wide; with LayerScale where its start is given. */
export function blockSpecs(name: string, c: number, init: Init, layerScale?: number): ParamSpec[] {
  const scale = (key: string): ParamSpec[] =>
    layerScale === undefined
      ? []
      : [{ name: `${name}.${key}.gamma`, shape: [c], init: { kind: 'constant', value: layerScale } }];
  return [
    ...normSpecs(`${name}.norm1`, c),
    ...normSpecs(`${name}.norm2`, c),
    ...linearSpecs(`${name}.attn.qkv`, c, 3 * c, init),
    ...linearSpecs(`${name}.attn.proj`, c, c, init),
    ...linearSpecs(`${name}.mlp.fc1`, c, 4 * c, init),
    ...linearSpecs(`${name}.mlp.fc2`, 4 * c, c, init),
    ...scale('ls1'),
    ...scale('ls2'),
  ];
}

/** The same specs with `prefix` before every name. */
export function prefixed(prefix: string, specs: readonly ParamSpec[]): ParamSpec[] {
  return specs.map((spec) => ({ ...spec, name: `${prefix}${spec.name}` }));
}

/** Number of values of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Fresh values of all parameters, in their order; the same random source state gives the same values. */
export function initialise(specs: readonly ParamSpec[], random: Random): Map<string, NamedArray> {
  const draw = (init: Init): (() => number) => {
    if (init.kind === 'constant') return () => init.value;
    if (init.kind === 'uniform') return () => init.bound * (2 * random.next() - 1);
    return () => {
      let value = init.sd * random.normal();
      while (Math.abs(value) > init.limit) value = init.sd * random.normal();
      return value;
    };
  };
  return new Map(
    specs.map(({ name, shape, init }) => [name, { shape, data: new Float32Array(sizeOf(shape)).map(draw(init)) }]),
  );
}

/**
 * Fills a dropout mask: 0 with probability `rate`, else `1 / (1 - rate)`, so that the mean stays 1.
 * The rate is kept to 1/65536, because two entries share one 32-bit draw.
 */
export function fillDropoutMask(mask: Float32Array, rate: number, random: Random): void {
  const kept = 1 / (1 - rate);
  const bound = Math.round(rate * 65536);
  for (let i = 0; i < mask.length; i += 2) {
    const word = random.uint32();
    mask[i] = (word & 0xffff) < bound ? 0 : kept;
    if (i + 1 < mask.length) mask[i + 1] = word >>> 16 < bound ? 0 : kept;
  }
}
