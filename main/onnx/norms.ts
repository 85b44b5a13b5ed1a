import type { Lazy, Trace } from './trace.ts';

/**
 * `(x - mean) / sqrt(var + eps)` over the last axis, recognised where its last product is traced, as one
 * LayerNormalization: the eight nodes it is made of go through the numbers five times. For graphs that only infer: a
 * gradient needs what lies between.
 *
 * @param centred `x - mean(x)`
 * @param inverse `1 / sqrt(mean(centred^2) + eps)`
 * @returns undefined for any other product
 */
export function layerNormOf(trace: Trace, centred: Lazy, inverse: Lazy): Lazy | undefined {
  const { source } = centred;
  if (!trace.fusesNorms || source.kind !== 'recorded' || inverse.source.kind !== 'recorded') return undefined;
  const shape = source.shape;
  const width = shape.at(-1);
  if (width === undefined || width === 1 || inverse.source.shape.at(-1) !== 1) return undefined;
  const inputsOf = (value: string | undefined, op: string): readonly string[] => {
    const node = value === undefined ? undefined : trace.madeBy(value);
    return node?.op === op ? node.inputs : [];
  };
  const [root] = inputsOf(inverse.source.value, 'Reciprocal');
  const [sum] = inputsOf(root, 'Sqrt');
  const [variance, floor] = inputsOf(sum, 'Add');
  const epsilon = floor === undefined ? undefined : trace.numberOf(floor);
  const [square] = inputsOf(variance, 'ReduceMean');
  const factors = inputsOf(square, 'Mul');
  const [x, mean] = inputsOf(source.value, 'Sub');
  const [averaged] = inputsOf(mean, 'ReduceMean');
  const isNorm = factors.length === 2 && factors.every((factor) => factor === source.value) && averaged === x;
  if (!isNorm || x === undefined || epsilon === undefined) return undefined;
  const ones = trace.graph.initializer(undefined, 'float32', [width], new Float32Array(width).fill(1));
  const [value] = trace.emit('LayerNormalization', [x, ones], { axis: { int: -1 }, epsilon: { float: epsilon } });
  return trace.recorded(value, shape, 'float32', centred.shape);
}
