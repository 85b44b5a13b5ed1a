import { describe, expect, it } from 'vitest';
import { checkMemory, trainingMemory } from '../../main/training/memory-need.ts';
import { settlePaperPreset, type PaperSettings } from '../../main/training/paper-settings.ts';

const settled = (preset: string, assignments: Record<string, unknown>): PaperSettings =>
  settlePaperPreset(preset, { classes: 2, kind: 'general' }, assignments).settings;
const gib = 2 ** 30;
const [small, base, large] = [88e6, 346e6, 1217e6];

describe('the memory a training needs', () => {
  it.each([
    // Measured peaks of bench/paper-train.ts, see docs/gpu.md.
    ['paper-small', { crop: 224 }, small, 5.6],
    ['paper-small', { crop: 392, microBatch: 4 }, small, 5.5],
    ['paper-base', { crop: 224, microBatch: 4 }, base, 6.4],
  ])('%s %o: within a fifth of what was measured', (preset, assignments, teacher, measured) => {
    const { total } = trainingMemory(settled(preset, assignments), teacher);
    expect(total / gib / measured).toBeGreaterThan(0.8);
    expect(total / gib / measured).toBeLessThan(1.25);
  });

  it('counts the students of ViT-L: 411 million numbers, four of each', () => {
    const { state, total } = trainingMemory(settled('paper-large', { crop: 224, microBatch: 1 }), large);
    expect(state / 16 / 1e6).toBeCloseTo(411.5, 0);
    // Once, not twice.
    expect(total / gib).toBeLessThan(14);
  });
});

describe('before a training', () => {
  it('says what it needs where there is enough', () => {
    const said = checkMemory(settled('paper-small', { crop: 224 }), small, { free: 12 * gib, total: 16 * gib });
    expect(said).toMatch(
      /^Training these students needs about 5\.\d GiB of memory .* 12\.0 GiB of 16\.0 GiB are free\.$/,
    );
  });

  it('refuses what does not fit, with the parts that would', () => {
    const settings = settled('paper-base', { crop: 224 });
    const refused = () => checkMemory(settings, base, { free: 8 * gib, total: 16 * gib });
    expect(refused).toThrow(
      expect.objectContaining({ code: 'memoryShort', remedy: expect.stringContaining('--set microBatch=4') as string }),
    );
    // As told, it fits.
    expect(checkMemory({ ...settings, microBatch: 4 }, base, { free: 8 * gib, total: 16 * gib })).toContain(
      '4 pictures at once',
    );
  });

  it.each([
    [24, 'Close other programs and add --set microBatch=1.'],
    [16, 'Close other programs and add --set microBatch=1.'],
    [8, 'take a smaller one'],
  ])('ViT-L on a busy machine of %i GiB: what helps', (total, remedy) => {
    const refused = () =>
      checkMemory(settled('paper-large', { crop: 224 }), large, { free: 6 * gib, total: total * gib });
    expect(refused).toThrow(expect.objectContaining({ remedy: expect.stringContaining(remedy) as string }));
  });
});
