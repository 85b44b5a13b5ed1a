import { describe, expect, it } from 'vitest';
import { bottleneck, decoderGroups, decoderLayers } from '../../main/nn/decoder-student.ts';
import type { Params } from '../../main/nn/layers.ts';
import {
  bilinearMatrix,
  gaussianMatrix,
  boxMeanMatrix,
  kronecker,
  positionMatrix,
  positionModes,
  resamplePositions,
  type Matrix,
  type PositionMode,
} from '../../main/nn/resample.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import {
  classTokens,
  embedTokens,
  meanOf,
  patchGrid,
  patchify,
  patchTokens,
  resampledPositions,
  runVit,
  teacherGroups,
  type VitOutput,
} from '../../main/nn/vit.ts';
import { Golden, goldenConfig, largestDifference } from './golden.ts';

const images = new Golden('inputs.safetensors');
const teacherWeights = new Golden('weights/teacher.original.safetensors').params();
const vit = { depth: 12, heads: 2, patch: 14, layerNormEps: 1e-6 };

function runTeacher(size: string, mode: PositionMode, params: Params = teacherWeights): VitOutput {
  const image = images.tensor(`image_${size}`);
  const grid = patchGrid(image.shape[2]!, image.shape[3]!, 14);
  const positions = positionMatrix(grid, goldenConfig.storedGrid, mode);
  return runVit(embedTokens(patchify(image, 14), params, positions), params, vit);
}

describe('teacher', () => {
  const golden = new Golden('cases/teacher.safetensors');

  it.each(['56', '70', '84', '56x84'])('%s pixels: embedding, class tokens, final norm', (size) => {
    const output = runTeacher(size, 'scale_offset');
    golden.check(`size${size}.tokens0`, output.tokens0);
    golden.check(`size${size}.class_tokens`, classTokens(output));
    golden.check(`size${size}.final_normed`, output.normed);
    if (golden.stored.has(`size${size}.patch_tokens`)) {
      golden.check(`size${size}.patch_tokens`, tf.stack(output.blocks.map((x) => patchTokens(x, 4))));
      const registers = output.blocks.map((x) => tf.slice(x, [0, 1, 0], [x.shape[0]!, 4, 32]));
      golden.check(`size${size}.register_tokens`, tf.stack(registers));
    }
  });

  it.each(['size_antialias', 'size'] as const)('position mode %s', (mode) => {
    const output = runTeacher('56', mode);
    golden.check(`size56.${mode}.tokens0`, output.tokens0);
    golden.check(`size56.${mode}.class_tokens`, classTokens(output));
  });

  it('without registers', () => {
    const bare = Object.fromEntries(Object.entries(teacherWeights).filter(([key]) => key !== 'register_tokens'));
    const output = runTeacher('56', 'size', bare);
    golden.check('size56.no_registers.size.class_tokens', classTokens(output));
    golden.check('size56.no_registers.size.final_normed', output.normed);
  });

  it('refuses pictures that are not made of patches and tables that do not fit', () => {
    expect(() => patchGrid(56, 57, 14)).toThrow(RangeError);
    expect(() => embedTokens(patchify(images.tensor('image_56'), 14), teacherWeights, undefined)).toThrow(RangeError);
  });
});

describe('position tables', () => {
  const golden = new Golden('cases/pos_embed.safetensors');
  const cases = golden.names().filter((name) => name.includes('.to'));

  it.each(cases)('%s', (name) => {
    const [, base, rows, columns, mode] = /^(base\d+)\.to(\d+)x(\d+)\.(\w+)$/.exec(name) as unknown as string[];
    const table = golden.tensor(base!);
    const stored = Number(base!.slice(4));
    const grid = { rows: Number(rows), columns: Number(columns) };
    expect(positionModes).toContain(mode);
    golden.check(name, resampledPositions(table, positionMatrix(grid, stored, mode as PositionMode)));
    const channels = table.shape[2]!;
    const array = resamplePositions(table.dataSync() as Float32Array, channels, grid, stored, mode as PositionMode);
    expect(largestDifference(array, golden.values(name))).toBeLessThanOrEqual(golden.atol(name));
  });
});

describe('decoder student', () => {
  const golden = new Golden('cases/decoder.safetensors');
  const params = new Golden('weights/decoder_student.safetensors').params();
  const options = { depth: 8, heads: 2, layerNormEps: 1e-8, order: 'mirrored' } as const;
  const groups = teacherGroups(runTeacher('56', 'scale_offset'), [
    [3, 4, 5, 6],
    [7, 8, 9, 10],
  ]);
  const input = meanOf(groups);

  it('bottleneck and layers', () => {
    golden.check('bottleneck_input', input);
    const fused = bottleneck(input, params);
    golden.check('bottleneck', fused);
    golden.check('layers', tf.stack(decoderLayers(fused, params, options)));
  });

  it('groups in both orders', () => {
    const layers = decoderLayers(bottleneck(input, params), params, options);
    for (const order of ['mirrored', 'forward'] as const) {
      golden.check(`${order}.decoder_groups`, tf.stack(decoderGroups(layers, order).map((x) => patchTokens(x, 4))));
      golden.check(`${order}.teacher_groups`, tf.stack(groups.map((x) => patchTokens(x, 4))));
    }
  });

  it('dropout at its three places', () => {
    const [first, hidden, last] = [0, 1, 2].map((i) => images.tensor(`mask${i}`)) as [Tensor, Tensor, Tensor];
    const fused = bottleneck(input, params, { input: first, hidden, output: last });
    golden.check('dropout.bottleneck', fused);
    golden.check('dropout.last_layer', decoderLayers(fused, params, options).at(-1)!);
  });
});

describe('resampling matrices against the golden operations', () => {
  const ops = new Golden('cases/ops.safetensors');
  /** Applies a matrix to the flattened grid of `[1, C, h, w]` and checks value and gradient. */
  const check = (tag: string, matrix: Matrix, grid: number[]) => {
    const x = ops.tensor(`${tag}.in.x`);
    const channels = x.shape[1]!;
    const resize = (input: Tensor) => {
      const m = tf.tensor2d(matrix.data, [matrix.rows, matrix.columns]);
      return tf.reshape(tf.matMul(tf.reshape(input, [channels, -1]), m, false, true), [1, channels, ...grid]);
    };
    ops.check(`${tag}.out`, resize(x));
    ops.check(`${tag}.grad.x`, tf.grad(resize)(x, ops.tensor(`${tag}.dy`)));
  };

  it('bilinear in both conventions', () => {
    for (const corners of [true, false]) {
      const matrix = kronecker(bilinearMatrix(9, 4, corners), bilinearMatrix(7, 5, corners));
      check(`bilinear_align_corners_${corners}`, matrix, [9, 7]);
    }
  });

  it('Gaussian blur with zero padding', () => {
    check('gaussian_blur_5_sigma4', kronecker(gaussianMatrix(8, 5, 4), gaussianMatrix(9, 5, 4)), [8, 9]);
  });

  it('box mean divides by the cells present', () => {
    expect([...boxMeanMatrix(3, 3).data].map((x) => Math.round(x * 6))).toEqual([3, 3, 0, 2, 2, 2, 0, 3, 3]);
  });
});
