import { describe, expect, it } from 'vitest';
import { calibrateThresholds } from '../../shared/calibration/thresholds.ts';
import { describeOperatingPoint } from '../../shared/calibration/operating-point.ts';
import { chooseThresholds } from '../../shared/calibration/guarantee.ts';
import { sentence, sentenceTemplates } from '../../shared/calibration/sentences.ts';
import { unknownClassOf } from '../../shared/calibration/unknown-limit.ts';
import { alarmPhrase } from '../../shared/drift/phrases.ts';
import { phraseLanguages } from '../../shared/phrases/phrase.ts';
import { allPhrases, fillSentence, say, saySentence, sentenceWords } from '../../shared/phrases/say.ts';
import { seeded } from '../renderer/seeded.ts';
import { englishIn, errorTexts } from './source-texts.ts';

const places = (template: string): string[] => [...template.matchAll(/\{(\w+)/g)].map(([, name]) => name!).sort();

describe('what the program says, in all languages', () => {
  it('has each phrase once, with the same places in every language', () => {
    const english = allPhrases.map(([en]) => en);
    expect(english.filter((en, i) => english.indexOf(en) !== i)).toEqual([]);
    for (const [en, ...others] of allPhrases) {
      for (const text of others) {
        expect(text, en).not.toBe('');
        expect(new Set(places(text).filter((name) => !places(en).includes(name))), en).toEqual(new Set());
      }
    }
  });

  // What the window can come to; the command line's own texts stay English.
  const sources = [
    ...['main/station', 'main/feeds', 'main/store', 'main/processes', 'main/ipc', 'main/app', 'main/pictures'],
    ...['main/training/run.ts', 'main/training/snapshot.ts', 'main/training/student-loop.ts'],
    ...['main/training/feature-store.ts', 'main/training/parity-gate.ts', 'main/system/atomic-file.ts'],
    ...['main/package/read-package.ts', 'main/audit/electronic-signature.ts', 'main/backbones/store.ts'],
    ...['main/detector/open-detector.ts', 'main/runtime/ort-session.ts', 'shared/station'],
  ];
  it('knows every error that the station can show', () => {
    const found = errorTexts(sources);
    expect(found.length).toBeGreaterThan(150);
    for (const language of phraseLanguages) {
      const unknown = found.filter(({ sample }) => /[a-z]{2} [a-z]/.test(sample) && say(sample, language) === sample);
      expect(unknown, language).toEqual([]);
    }
  });

  it('leaves no English in what those errors say', () => {
    for (const language of ['ko', 'zh-CN']) {
      const left = errorTexts(sources)
        .map(({ sample }) => say(sample, language))
        .filter((text) => englishIn(text.replace(/["“`].*?["”`]/g, '')) !== null);
      expect(left).toEqual([]);
    }
  });

  it('keeps what is somebody’s own, and puts what stands inside into words, too', () => {
    const damaged = '"teil 7.png" is damaged: the PNG header is wrong. Copy or record the picture again.';
    expect(say(damaged, 'de')).toBe(
      '„teil 7.png“ ist beschädigt: der Kopf des PNG ist falsch. Das Bild neu kopieren oder aufnehmen.',
    );
    expect(say('Lager: The feed is stopped.', 'ko')).toBe('Lager: 피드가 멈춰 있습니다.');
    expect(say('Operator wrote this, nobody knows it', 'ko')).toBe('Operator wrote this, nobody knows it');
    expect(say('The feed is stopped.', 'en')).toBe('The feed is stopped.');
    expect(say('Gate "golden" refused it: There are no pictures to time the model with.', 'zh-CN')).toBe(
      '检查“黄金样本”拒绝了它：没有可用于计时的图片。',
    );
  });

  it('knows on what fresh thresholds rest, with any number of pictures', () => {
    const random = seeded(5);
    for (const [normals, defects] of [
      [1, 0],
      [12, 0],
      [40, 1],
      [400, 30],
    ] as const) {
      const labels = Uint8Array.from({ length: normals + defects }, (_, i) => (i < normals ? 0 : 1));
      const scores = Float64Array.from(labels, (label) => random() + label);
      const classNames = Array.from(labels, () => 'cookie');
      for (const policy of [
        { kind: 'normalsOnly', maxFalseRejectRate: 0.01 } as const,
        ...(defects > 0 ? [{ kind: 'maxEscapeRate', rate: 0.01 } as const] : []),
      ]) {
        const { pooled } = calibrateThresholds({ scores, classNames, gtLabels: labels }, { policy });
        for (const language of ['ko', 'zh-CN']) expect(englishIn(say(pooled.statement, language))).toBeNull();
        expect(say(pooled.statement, 'de')).toContain('Prüfen ab');
      }
    }
    const few = unknownClassOf([{ className: 'a', classDistance: 1 }]).statement;
    expect(englishIn(say(few, 'ko'))).toBeNull();
  });

  it('knows every sentence of the calibration by its key and by its words', () => {
    const random = seeded(9);
    const labels = Uint8Array.from({ length: 90 }, (_, i) => (i < 60 ? 0 : 1));
    const scores = Float64Array.from(labels, (label) => random() + 0.6 * label);
    const point = describeOperatingPoint(scores, labels, { review: 0.8, fail: 1.1 }, { defectRate: 0.01 });
    const chosen = chooseThresholds(scores, labels, { kind: 'maxEscapeRate', rate: 0.3 }, { confidence: 0.95 });
    const said = [...point.sentences, ...(chosen.ok ? chosen.guarantees.map(({ statement }) => statement) : [])];
    expect(said.length).toBeGreaterThan(4);
    for (const one of said) {
      for (const language of ['ko', 'zh-CN'] as const) {
        expect(englishIn(saySentence(one, language)), one.key).toBeNull();
        expect(englishIn(say(one.text, language)), one.key).toBeNull();
      }
    }
  });

  it('keeps the places of the calibration’s templates, with their formats', () => {
    const formats = (template: string): string[] => [...template.matchAll(/\{[\w:]+\}/g)].map(([one]) => one).sort();
    for (const language of phraseLanguages)
      for (const [key, english] of Object.entries(sentenceTemplates))
        expect(formats(sentenceWords[language][key as keyof typeof sentenceTemplates]), `${language} ${key}`).toEqual(
          formats(english),
        );
  });

  it('writes numbers as the language does, and names in it', () => {
    const { params } = sentence('escapeExactUpper', { count: 1, n: 1200, high: 0.0123, confidence: 0.95 });
    expect(fillSentence(sentenceWords.de.escapeExactUpper, params, 'de')).toBe(
      'Schlupf: 1 von 1.200 Fehlern. Möglich sind noch bis zu 1,23 %, mit 95 % Sicherheit.',
    );
    expect(fillSentence('{x:percent} {y:percent}', { x: 1e-9, y: 1 - 1e-9 }, 'en')).toBe('< 0.0001 % > 99.999 %');
    expect(fillSentence(sentenceWords.de.costImpossible, { name: 'false-reject', value: 0 }, 'de')).toContain(
      'Pseudofehler: Kosten von 0',
    );
    // A class may be called like a word of ours.
    expect(fillSentence(sentenceWords.de.gateClassUntested, { className: 'review' }, 'de')).toContain('„review“');
  });

  it('knows what the drift guard says', () => {
    const phrase = alarmPhrase({
      cause: 'light',
      streams: ['brightness'],
      sincePart: 512,
      sinceAt: '2026-11-22T10:00:00Z',
      change: 20,
    } as Parameters<typeof alarmPhrase>[0]);
    for (const language of ['ko', 'zh-CN']) expect(englishIn(say(phrase.en, language))).toBeNull();
  });
});
