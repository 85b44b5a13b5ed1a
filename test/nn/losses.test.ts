import { describe, expect, it } from 'vitest';
import { groupCosineLoss, pointDistance, decoderError, classTokenErrors } from '../../main/nn/losses.ts';
import { logAnomalyScore, logNormality, noisyOrLoss } from '../../main/nn/noisy-or.ts';
import { ablationScore, anomalyMap, mapScore } from '../../main/nn/scores.ts';
import { learningRate, miningRank, miningShare } from '../../main/nn/schedule.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import { Golden, goldenJson, largestDifference } from './golden.ts';

interface NoisyOrRow {
  L_SE: number;
  L_SD: number;
  log_P: number;
  log_AC: number;
  loss_normal: number;
  loss_anomalous: number;
  d_normal_dSE: number;
  d_normal_dSD: number;
  d_anomalous_dSE: number;
  d_anomalous_dSD: number;
}

describe('Noisy-OR against 60-digit arithmetic', () => {
  const rows = goldenJson<NoisyOrRow[]>('cases/noisy_or.json');
  const column = (key: keyof NoisyOrRow) => rows.map((row) => row[key]);
  const a = tf.tensor1d(column('L_SE'));
  const b = tf.tensor1d(column('L_SD'));
  /** Relative 1e-5 where float32 has the number, absolute 2e-7 (rounding of terms of size 1) elsewhere. */
  const close = (actual: Tensor, key: keyof NoisyOrRow) => {
    const values = actual.dataSync();
    rows.forEach((row, i) => {
      const bound = 2e-7 + 1e-5 * Math.abs(row[key]);
      expect(Math.abs(values[i]! - row[key]), `${key} at ${row.L_SE}, ${row.L_SD}`).toBeLessThan(bound);
    });
  };

  it('values, finite for any error', () => {
    close(logNormality(a, b), 'log_P');
    close(logAnomalyScore(a, b), 'log_AC');
    close(noisyOrLoss(a, b, tf.onesLike(a)), 'loss_normal');
    close(noisyOrLoss(a, b, tf.zerosLike(a)), 'loss_anomalous');
  });

  it('gradients, finite and never NaN', () => {
    for (const [label, name] of [
      [tf.onesLike(a), 'normal'],
      [tf.zerosLike(a), 'anomalous'],
    ] as const) {
      const [da, db] = tf.grads((x: Tensor, y: Tensor) => tf.sum(noisyOrLoss(x, y, label)))([a, b]) as [Tensor, Tensor];
      close(da, `d_${name}_dSE`);
      close(db, `d_${name}_dSD`);
    }
  });

  it('with a cap, anomalous pictures stop driving the encoder there; normal ones keep value and gradient', () => {
    const cap = 2;
    const sample = tf.tensor1d([0.1, 1.9, 2, 30, 1e6]);
    const other = tf.tensor1d([0.2, 0.2, 0.2, 0.2, 2]);
    const grads = (label: Tensor, limit: number | null) =>
      tf
        .grads((x: Tensor, y: Tensor) => tf.sum(noisyOrLoss(x, y, label, limit)))([sample, other])
        .map((tensor) => [...tensor.dataSync()]);
    const [ones, zeros] = [tf.onesLike(sample), tf.zerosLike(sample)];
    expect(grads(ones, cap)).toEqual(grads(ones, null));
    expect([...noisyOrLoss(sample, other, ones, cap).dataSync()]).toEqual([
      ...noisyOrLoss(sample, other, ones).dataSync(),
    ]);
    const [encoder, decoder] = grads(zeros, cap) as [number[], number[]];
    const [free, same] = grads(zeros, null) as [number[], number[]];
    expect(encoder.slice(0, 2)).toEqual(free.slice(0, 2));
    expect(encoder.slice(2)).toEqual([0, 0, 0]);
    expect(decoder).toEqual(same);
    const capped = noisyOrLoss(sample, other, zeros, cap).dataSync();
    expect(capped[3]).toBe(capped[2]);
  });
});

describe('group cosine', () => {
  const ops = new Golden('cases/ops.safetensors');
  const [t, s, dy] = ['in.t', 'in.s', 'dy'].map((name) => ops.tensor(`group_cosine.${name}`)) as [
    Tensor,
    Tensor,
    Tensor,
  ];

  it('matches the golden value and gradient', () => {
    ops.check('group_cosine.out', groupCosineLoss(t, s));
    ops.check('group_cosine.grad.s', tf.grad((x: Tensor) => groupCosineLoss(t, x))(s, dy));
  });

  it('hard mining keeps the value and weakens exactly the points below the k-th largest distance', () => {
    const plain = tf.grad((x: Tensor) => groupCosineLoss(t, x))(s, dy);
    const distance = pointDistance(t, s).dataSync();
    const sorted = [...distance].sort((x, y) => y - x);
    for (const rank of [1, 5, 12]) {
      const mining = { rank: tf.scalar(rank), factor: 0.1 };
      expect(largestDifference(groupCosineLoss(t, s, mining).dataSync(), groupCosineLoss(t, s).dataSync())).toBe(0);
      const weights = [...distance].map((d) => (d < sorted[rank - 1]! ? 0.1 : 1));
      const expected = tf.mul(plain, tf.tensor(weights, [3, 4, 1])).dataSync();
      const mined = tf
        .grad((x: Tensor) => groupCosineLoss(t, x, mining))(s, dy)
        .dataSync();
      expect(largestDifference(mined, expected)).toBeLessThan(1e-7);
    }
  });

  it('leaves the points of anomalous pictures alone', () => {
    const label = tf.tensor1d([1, 0, 1]);
    const mining = { rank: tf.scalar(1), factor: 0.1, label };
    const plain = tf
      .grad((x: Tensor) => groupCosineLoss(t, x))(s, dy)
      .arraySync() as number[][][];
    const mined = tf
      .grad((x: Tensor) => groupCosineLoss(t, x, mining))(s, dy)
      .arraySync() as number[][][];
    expect(largestDifference(mined[1]!.flat(), plain[1]!.flat())).toBeLessThan(1e-7);
    expect(largestDifference(mined[0]!.flat(), plain[0]!.flat())).toBeGreaterThan(1e-3);
  });
});

describe('decoder loss, map and score', () => {
  const golden = new Golden('cases/decoder.safetensors');
  const groups = (name: string) => tf.unstack(golden.tensor(name));

  it('L_SD in both orders', () => {
    for (const order of ['mirrored', 'forward']) {
      const error = decoderError(groups(`${order}.teacher_groups`), groups(`${order}.decoder_groups`));
      golden.check(`${order}.L_SD`, error);
    }
  });

  it('point distances, anomaly map and Dinomaly score', () => {
    const students = groups('mirrored.decoder_groups');
    const distances = groups('mirrored.teacher_groups').map((target, i) => pointDistance(target, students[i]!));
    golden.check('point_distance', tf.stack(distances));
    const maps = anomalyMap(distances, { rows: 4, columns: 4 }, 56, 56);
    golden.check('anomaly_map_56', tf.expandDims(maps, 1));
    const { smoothed, score } = mapScore(maps, { size: 40, windowLength: 5, sigma: 4, topShare: 0.01 });
    golden.check('anomaly_map_40_smoothed', tf.expandDims(smoothed, 1));
    golden.check('dinomaly_image_score', score);
  });
});

describe('class-token errors and the ablation scores', () => {
  it('sum and mean reductions with their gradients', () => {
    const target = tf.tensor3d([1, 2, 3, 4], [1, 2, 2]);
    const student = tf.tensor3d([2, 4, 3, 1], [1, 2, 2]);
    expect(classTokenErrors(target, student, 'sum').arraySync()).toEqual([[5, 9]]);
    expect(classTokenErrors(target, student, 'mean').arraySync()).toEqual([[2.5, 4.5]]);
    const slope = tf.grad((x: Tensor) => classTokenErrors(target, x, 'mean'))(student, tf.tensor2d([[1, 2]]));
    expect([...slope.dataSync()]).toEqual([1, 2, 0, -6]);
  });

  it('all six rows', () => {
    const errors = tf.tensor2d([[1], [3], [0.5]]);
    const sd = tf.tensor1d([0.25]);
    const sigma = (x: number) => 1 / (1 + Math.exp(-x));
    const expected = [2, 0.25, 0.5, Math.log(sigma(2) * sigma(0.25)), 0.75, Math.log(sigma(0.5) * sigma(0.25))];
    ([1, 2, 3, 4, 5, 6] as const).forEach((row, i) => {
      expect(ablationScore(row, errors, sd).dataSync()[0]).toBeCloseTo(expected[i]!, 6);
    });
  });
});

describe('schedules', () => {
  const golden = new Golden('cases/optimiser.safetensors');

  it('warm cosine', () => {
    const schedule = { base: 2e-3, final: 2e-4, warmup: 100, total: 10000 };
    const expected = golden.values('schedule.total10000_warm100');
    golden.values('schedule.total10000_warm100.index').forEach((step, i) => {
      expect(learningRate(schedule, step)).toBeCloseTo(expected[i]!, 15);
    });
    golden.values('schedule.total20_warm5').forEach((rate, step) => {
      expect(learningRate({ ...schedule, warmup: 5, total: 20 }, step)).toBeCloseTo(rate, 15);
    });
  });

  it('mining share and rank', () => {
    const schedule = { pFinal: 0.9, ramp: 1000, factor: 0.1 };
    const shares = golden.values('mining.p');
    const ranks = golden.values('mining.topk_for_16x28x28');
    golden.values('mining.index').forEach((step, i) => {
      expect(miningShare(schedule, step)).toBeCloseTo(shares[i]!, 15);
      expect(miningRank(16 * 28 * 28, miningShare(schedule, step))).toBe(ranks[i]);
    });
  });
});
