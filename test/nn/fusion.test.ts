import './cpu-backend.ts';
import { describe, expect, test } from 'vitest';
import { fuse } from '../../main/nn/embedded-detector.ts';
import { tf } from '../../main/nn/tf.ts';

const softplus = (z: number): number => Math.log1p(Math.exp(z - 1));
const one = (value: number) => tf.tensor1d([value]);
const of = (variety: number, z: Record<string, number>) => {
  const memory = {
    local: one(z['local']!),
    coarse: one(z['coarse']!),
    head: one(z['head']!),
    global: one(z['global']!),
  };
  const students = { decoder: one(z['decoder']!), encoder: one(z['encoder']!) };
  const { predScore, memoryScore, studentScore } = fuse(memory, students, one(variety));
  return [predScore, memoryScore, studentScore!].map((score) => score.dataSync()[0]!);
};
const z = { local: 3, coarse: -1, head: 2, global: 0.5, decoder: 4, encoder: 1.5 };

describe('fusion of the experts', () => {
  test('parts of one kind: every expert with its weight', () => {
    const seen = softplus(3) + softplus(-1) + 0.5 * softplus(2);
    const expected = [
      seen + 0.5 * softplus((0.5 + 1.5) / 2) + 0.5 * softplus(4),
      seen + 0.5 * softplus(0.5),
      softplus(4) + softplus(1.5),
    ];
    of(0, z).forEach((score, i) => expect(score).toBeCloseTo(expected[i]!, 5));
  });

  test('varied pictures: the head leads, places and the decoder student say nothing', () => {
    const expected = [softplus(2) + 0.5 * softplus(1), softplus(2) + 0.5 * softplus(0.5), softplus(1.5)];
    of(1, z).forEach((score, i) => expect(score).toBeCloseTo(expected[i]!, 5));
    expect(of(1, { ...z, local: 40, coarse: 40, decoder: 40 })).toEqual(of(1, z));
  });

  test('between the two it goes over evenly; without students the memory decides alone', () => {
    of(0.25, z).forEach((score, i) => expect(score).toBeCloseTo(0.75 * of(0, z)[i]! + 0.25 * of(1, z)[i]!, 5));
    const memory = { local: one(3), coarse: one(-1), head: one(2), global: one(0.5) };
    const { predScore, memoryScore, studentScore } = fuse(memory, undefined, one(0));
    expect([predScore, studentScore]).toEqual([memoryScore, undefined]);
  });
});
