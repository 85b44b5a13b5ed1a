import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { findRecord, replayRecord, type ReplayableRecord } from '../../main/audit/replay.ts';
import { brightnessDetector } from '../cli/fakes.ts';
import { greyPng } from '../cli/pictures.ts';

const picture = greyPng(128);
const contentHash = createHash('sha256').update(picture).digest('hex');
const detector = brightnessDetector();

async function recordOf(): Promise<ReplayableRecord> {
  const { fields } = await replayRecord(blank, picture, detector, 0);
  const replayed = Object.fromEntries(fields.map(({ field, replayed }) => [field, replayed]));
  return {
    ...blank,
    ...replayed,
    verdict: 'review',
    thresholds: { review: 1.5, fail: 2.5 },
    contentHash,
    modelHash: detector.modelHash,
  };
}

const blank: ReplayableRecord = {
  file: 'a.png',
  className: 'tile',
  verdict: 'review',
  predScore: 0,
  localScore: 0,
  semanticScore: null,
  memoryScore: 0,
};

describe('replay', () => {
  test('the same bits are identical; a score that is not there must not be there again', async () => {
    const result = await replayRecord(await recordOf(), picture, detector, 1e-4);
    expect(result).toMatchObject({ outcome: 'identical', maxDifference: 0, provider: 'cpu' });
    expect(result.fields.map(({ same }) => same)).toEqual([true, true, true, true, true, true]);
  });

  test('another provider: within the tolerance as long as the verdict is the same', async () => {
    const record = await recordOf();
    const shifted = (by: number): ReplayableRecord => ({ ...record, predScore: record.predScore! + by });
    expect((await replayRecord(shifted(1e-5), picture, detector, 1e-4)).outcome).toBe('withinTolerance');
    expect((await replayRecord(shifted(1e-2), picture, detector, 1e-4)).outcome).toBe('different');
    const flipped = { ...shifted(1e-5), verdict: 'pass' };
    expect((await replayRecord(flipped, picture, detector, 1e-4)).outcome).toBe('different');
    expect((await replayRecord({ ...record, semanticScore: 1 }, picture, detector, 1e-4)).maxDifference).toBeNull();
  });

  test('a part of no known class has the same verdict again, by the limit of the record or of the package', async () => {
    const passing = { ...(await recordOf()), thresholds: { review: 3, fail: 4 } };
    const unknown = { ...detector, unknownClass: { value: 0.5 } };
    const outcome = async (changed: Partial<ReplayableRecord>, by = detector) =>
      (await replayRecord({ ...passing, ...changed }, picture, by, 0)).outcome;
    expect(await outcome({ classLimit: 0.5 })).toBe('identical');
    expect(await outcome({ classLimit: 1.5 })).toBe('different');
    expect(await outcome({ classLimit: 1.5, verdict: 'pass' })).toBe('identical');
    expect(await outcome({}, unknown)).toBe('identical');
    expect(await outcome({ verdict: 'pass' }, unknown)).toBe('identical');
    expect(await outcome({}, detector)).toBe('different');
  });

  test('another model, another picture, no decision: refused with what to do', async () => {
    const record = await recordOf();
    const replay = (changed: Partial<ReplayableRecord>) =>
      replayRecord({ ...record, ...changed }, picture, detector, 0);
    await expect(replay({ modelHash: '0'.repeat(64) })).rejects.toMatchObject({ code: 'replayOtherModel' });
    await expect(replay({ contentHash: '0'.repeat(64) })).rejects.toMatchObject({ code: 'replayOtherPicture' });
    await expect(replay({ predScore: null })).rejects.toMatchObject({ code: 'replayNoScore' });
  });
});

describe('finding the record', () => {
  const named = (file: string, hash: string): ReplayableRecord => ({ ...blank, file, contentHash: hash });

  test.each([
    ['one record', JSON.stringify(named('a', 'x')), 'a'],
    ['results.json', JSON.stringify({ model: { hash: 'm' }, results: [named('b', 'y'), named('a', 'x')] }), 'a'],
    ['lines of inspect --json', [named('b', 'y'), named('a', 'x')].map((line) => JSON.stringify(line)).join('\n'), 'a'],
    [
      "a journal's lines, judged twice, the last one torn",
      `${[named('old', 'x'), named('a', 'x')].map((record) => JSON.stringify({ record, relative: 'a' })).join('\n')}\n{"told":2}\n{"rec`,
      'a',
    ],
  ])('%s', (_, text, file) => {
    expect(findRecord(text, 'x', 'f').file).toBe(file);
  });

  test('the hash of results.json belongs to each of its records', () => {
    const text = JSON.stringify({ model: { hash: 'm' }, results: [named('a', 'x')] });
    expect(findRecord(text, 'x', 'f').modelHash).toBe('m');
  });

  test.each([
    ['', 'recordUnreadable'],
    ['{"a":1}', 'recordUnreadable'],
    [[named('b', 'y'), named('c', 'z')].map((line) => JSON.stringify(line)).join('\n'), 'recordMissing'],
  ])('%s', (text, code) => {
    expect(() => findRecord(text, 'x', 'f')).toThrow(expect.objectContaining({ code }));
  });
});
