/**
 * Writes a DINOv2 weight file of the real shapes with seeded numbers (method-spec section 2).
 *
 *   node bench/run.mjs bench/make-weights.ts --size small --out FILE [--registers 4] [--naming huggingface|original|timm]
 *     [--form safetensors|sharded|torch] [--dtype F32|F16|BF16] [--seed 0]
 */
import { parseArgs } from 'node:util';
import { openDinov2Weights, type Dinov2Naming, type Dinov2Size } from '../main/backbones/dinov2.ts';
import { writeSeededWeights, type SeededWeightsOptions } from '../main/backbones/seeded-weights.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'small' },
    out: { type: 'string' },
    registers: { type: 'string', default: '4' },
    naming: { type: 'string', default: 'huggingface' },
    form: { type: 'string' },
    dtype: { type: 'string', default: 'F32' },
    seed: { type: 'string', default: '0' },
  },
});
if (values.out === undefined) throw new Error('--out FILE is missing');
const [file] = await writeSeededWeights(values.out, {
  size: values.size as Dinov2Size,
  registers: Number(values.registers),
  naming: values.naming as Dinov2Naming,
  dtype: values.dtype as NonNullable<SeededWeightsOptions['dtype']>,
  seed: Number(values.seed),
  ...(values.form !== undefined && { form: values.form as NonNullable<SeededWeightsOptions['form']> }),
});
console.log((await openDinov2Weights(file!)).statement);
