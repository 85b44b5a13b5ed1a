import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainModel } from '../../main/training/run.ts';
import { never, twoParts, Workplace } from './small-data.ts';
import { tinyPaper, writeTinyTeacher } from './tiny-paper.ts';

let place: Workplace;
let teacher: string;

beforeAll(async () => {
  place = await Workplace.make('paper-variants');
  await place.part(twoParts[0]!, { 'train/good': 4 });
  teacher = await writeTinyTeacher(place);
});

afterAll(() => place.remove());

// The trainer's scorer is traced from the networks that learn; the inspection graph is written operator by operator.
describe('the inspection graph says what the trainer says, whatever is switched', () => {
  it.each([
    { 'encoderStudent.embeddings': 'own', posEmbed: 'size_antialias' },
    { decoderOrder: 'forward', sdScore: 'map-top1pct' },
    { objective: 'encoder', scoreRow: 1 },
    { objective: 'decoder', scoreRow: 2 },
    { objective: 'sum', scoreRow: 5, seReduction: 'sum', 'encoderStudent.layerNormEps': 1e-3 },
    { registers: 0 },
  ])('%o', async (changes) => {
    const request = tinyPaper(place, teacher, { steps: 2 });
    const backboneFile = 'registers' in changes ? await writeTinyTeacher(place, 0) : teacher;
    const settings = { ...request.settings, ...changes };
    const { parity } = await trainModel({ ...request, backboneFile, settings }, () => undefined, never);
    expect(parity.pictures).toBeGreaterThan(0);
    expect(parity.maxAbsDifference).toBeLessThan(1e-5);
  });
});
