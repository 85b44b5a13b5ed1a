import { describe, expect, it } from 'vitest';
import { sentence, sentenceTemplates } from '../../shared/calibration/sentences.ts';
import { describeOperatingPoint } from '../../shared/calibration/operating-point.ts';
import { chooseThresholds } from '../../shared/calibration/guarantee.ts';
import { sentenceNames, sentenceWords } from '../../renderer/app/views/thresholds/sentence-words.ts';
import { fillSentence } from '../../renderer/app/views/thresholds/use-sentence.ts';
import { seeded } from './seeded.ts';

const languages = ['de', 'ko', 'zh-CN'] as const;
const places = (template: string): string[] => [...template.matchAll(/\{[\w:]+\}/g)].map(([place]) => place).sort();

/** Every sentence that the thresholds' screen can come to with these scores, whatever a person chooses. */
function keysOf(goods: number, bads: number, equal = false): Set<string> {
  const random = seeded(goods * 100 + bads);
  const labels = Uint8Array.from({ length: goods + bads }, (_, i) => (i < goods ? 0 : 1));
  const scores = Float64Array.from(labels, (label) => (equal ? 1 : random() + 0.8 * label));
  const found = new Set<string>();
  for (const defectRate of [undefined, 0, 0.01, 1])
    for (const { key } of describeOperatingPoint(
      scores,
      labels,
      { review: 0.8, fail: 1.1 },
      {
        ...(defectRate !== undefined && { defectRate }),
      },
    ).sentences)
      found.add(key);
  for (const rate of [0, 1e-5, 0.05, 0.4, 2])
    for (const policy of [
      { kind: 'maxEscapeRate', rate },
      { kind: 'maxFalseRejectRate', rate },
      { kind: 'normalsOnly', maxFalseRejectRate: rate },
      { kind: 'cost', escape: 100 * rate, reject: 1, review: 0.2, defectRate: Math.min(1, rate) },
      { kind: 'maxF1' },
      { kind: 'youden' },
    ] as const) {
      const result = chooseThresholds(scores, labels, policy, { confidence: 0.95 });
      const said = result.ok
        ? [...result.guarantees.map(({ statement }) => statement), ...result.notes]
        : [result.reason, ...(result.reachable?.guarantees.map(({ statement }) => statement) ?? [])];
      for (const { key } of said) found.add(key);
    }
  return found;
}

describe('sentences of the calibration on the thresholds’ screen', () => {
  it('say everything the calibration can come to, in every language', () => {
    const keys = new Set([
      ...keysOf(200, 80),
      ...keysOf(5, 4),
      ...keysOf(40, 0),
      ...keysOf(0, 12),
      ...keysOf(30, 30, true),
    ]);
    expect(keys.size).toBeGreaterThan(15);
    for (const language of languages)
      expect(
        [...keys].filter((key) => !(key in sentenceWords[language])),
        language,
      ).toEqual([]);
  });

  it('keep the places of the English template, with their formats', () => {
    for (const language of languages)
      for (const [key, template] of Object.entries(sentenceWords[language]))
        expect(places(template), `${language} ${key}`).toEqual(
          places(sentenceTemplates[key as keyof typeof sentenceTemplates]),
        );
  });

  it('write numbers as the language does, and names in it', () => {
    const { params } = sentence('escapeExactUpper', { count: 1, n: 1200, high: 0.0123, confidence: 0.95 });
    expect(fillSentence(sentenceWords.de.escapeExactUpper, params, 'de')).toBe(
      'Schlupf: 1 von 1.200 Fehlern. Möglich sind noch bis zu 1,23 %, mit 95 % Sicherheit.',
    );
    expect(fillSentence('{x:percent} {y:percent}', { x: 1e-9, y: 1 - 1e-9 }, 'en')).toBe('< 0.0001 % > 99.999 %');
    expect(
      fillSentence(sentenceWords.de.costImpossible, { name: 'false-reject', value: 0 }, 'de', sentenceNames.de),
    ).toContain('Pseudofehler: Kosten von 0');
  });
});
