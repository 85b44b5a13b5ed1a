import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingEvent } from '../../shared/training-events.ts';
import { trainModel } from '../../main/training/run.ts';
import { never, openPackage, pictures, scoreFiles, twoParts, Workplace } from './small-data.ts';
import { tinyPaper, writeTinyTeacher } from './tiny-paper.ts';

let place: Workplace;
let teacher: string;

beforeAll(async () => {
  place = await Workplace.make('reduced-precision');
  for (const part of twoParts) await place.part(part, { 'train/good': 5 });
  teacher = await writeTinyTeacher(place);
});

afterAll(() => place.remove());

async function trained(teacherPrecision: string): Promise<{ out: string; notices: string[] }> {
  const request = tinyPaper(place, teacher, { steps: 2 });
  const out = request.out.replace('.twin', `-${teacherPrecision}.twin`);
  const events: TrainingEvent[] = [];
  const settings = { ...request.settings, teacherPrecision };
  await trainModel({ ...request, out, settings }, (event) => events.push(event), never);
  return { out, notices: events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])) };
}

describe('a teacher of lower precision in the finished model', () => {
  it('int8: its effect is measured, said and written down; the package holds it and inspects', async () => {
    const exact = await trained('float32');
    const light = await trained('int8');
    expect(exact.notices.join('\n')).not.toContain('Teacher in');
    const said = light.notices.find((notice) => notice.startsWith('Teacher in int8'));
    expect(said).toMatch(
      /the fused score changes by .* at most .* \d of 10 verdicts are others; \d+ ms a picture become/,
    );
    const { manifest, graph } = await openPackage(light.out);
    expect(manifest.notes).toContain(said);
    expect(manifest.preset.constants['teacherPrecision']).toBe('int8');
    expect(Buffer.from(graph).includes('DynamicQuantizeLinear')).toBe(true);

    // Other numbers than the exact model's, but near them.
    const files = await pictures(twoParts[0]!, 'train/good', 3);
    const [a, b] = [await scoreFiles(exact.out, files), await scoreFiles(light.out, files)];
    expect(b[0]!.predScore).not.toBe(a[0]!.predScore);
    b.forEach(({ predScore }, i) => expect(Math.abs(predScore - a[i]!.predScore)).toBeLessThan(0.05));
  });
});
