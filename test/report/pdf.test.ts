import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lotReport, type LotReport } from '../../renderer/report/pdf/lot-report.ts';
import { modelCard } from '../../renderer/report/pdf/model-card.ts';
import { html } from '../../renderer/report/pdf/page.ts';
import { partCertificate, type PartCertificate } from '../../renderer/report/pdf/part-certificate.ts';
import { heldThresholds, heldWhen, type HeldThresholds } from '../../renderer/report/pdf/thresholds.ts';
import { reportWords } from '../../renderer/report/pdf/words.ts';
import { languages } from '../../shared/ipc/settings.ts';
import type { StationModel, StationPart } from '../../shared/station/domain.ts';

const part: StationPart = {
  id: 7,
  projectId: 'p1',
  source: 'inbox/<img src=x>.png',
  serial: null,
  lot: 'L-1',
  station: 'Line 3',
  shift: null,
  className: 'cookies & cream',
  presentedAt: '2026-11-22T08:00:00.000Z',
  decidedAt: '2026-11-22T08:00:00.100Z',
  verdict: 'fail',
  reason: null,
  predScore: 3.25,
  localScore: 2,
  semanticScore: 0.5,
  memoryScore: 4,
  shares: { local: 0.6, semantic: 0.1, memory: 0.3 },
  hottest: { x: 0.2, y: 0.9, areaPx: 512 },
  thresholds: { review: 1.5, fail: 2.5 },
  displayScore: 71.2,
  latencyMs: 40,
  modelId: 'm1',
  modelHash: 'a'.repeat(64),
  pictureSha256: 'b'.repeat(64),
  hasHeatMap: true,
  similarSha256: null,
  personVerdict: 'pass',
  personName: 'Kim',
  defectClass: null,
};

const held: HeldThresholds = {
  at: '2026-11-22T07:00:00.000Z',
  by: 'system',
  thresholds: { review: 1.5, fail: 2.5 },
  basis: '60 good parts',
  reason: '',
};

const counters = { presented: 412, pass: 400, fail: 3, review: 9, noDecision: 0, waitingForReview: 0 };
const lot: LotReport = {
  station: 'Line 3',
  project: 'Cookies <b>',
  filter: {
    projectId: 'p1',
    from: null,
    to: null,
    className: null,
    lot: 'L-1"><script>alert(1)</script>',
    serial: null,
    station: null,
    verdict: null,
    person: 'any',
  },
  bucket: 'hour',
  span: { first: '2026-11-22T07:03:00.000Z', last: '2026-11-22T08:00:00.000Z' },
  onlyNewest: null,
  printedAt: '2026-11-22T09:00:00.000Z',
  printedBy: 'Quinn',
  statistics: {
    counters,
    yield: [
      { from: '2026-11-22T07:00:00.000Z', counters: { ...counters, presented: 200, pass: 198 } },
      { from: '2026-11-22T08:00:00.000Z', counters: { ...counters, presented: 212, pass: 202 } },
    ],
    pareto: [{ defectClass: 'crack', parts: 2 }],
    falseRejects: 1,
    escapes: 0,
    answered: 12,
  },
  notPassed: [part],
  models: [
    {
      version: 12,
      modelHash: 'a'.repeat(64),
      thresholds: [
        { held: { ...held, thresholds: { review: 1.25, fail: 2.25 }, reason: 'Fewer looks.' }, parts: 300 },
        { held, parts: 112 },
      ],
    },
  ],
};

const certificate: PartCertificate = {
  station: 'Line 3',
  project: 'Cookies',
  printedAt: lot.printedAt,
  printedBy: 'Quinn',
  part,
  picture: 'data:image/jpeg;base64,AAAA',
  heatMap: 'data:image/png;base64,BBBB',
  similar: null,
  modelVersion: 12,
  held,
  answers: [
    {
      verdict: 'fail',
      defectClass: 'crack',
      why: null,
      by: 'Ann',
      at: '2026-11-22T08:10:00.000Z',
      withdrawnAt: '2026-11-22T08:11:00.000Z',
    },
    {
      verdict: 'pass',
      defectClass: null,
      why: 'Only dust.',
      by: 'Kim',
      at: '2026-11-22T08:12:00.000Z',
      withdrawnAt: null,
    },
  ],
  pxPerMm: 8,
};

const model: StationModel = {
  id: 'm1',
  projectId: 'p1',
  version: 12,
  state: 'active',
  modelHash: 'a'.repeat(64),
  preset: 'embedded',
  classes: ['cookies'],
  snapshotId: 's1',
  pictures: 60,
  createdAt: '2026-11-22T07:00:00.000Z',
  createdBy: 'Kim',
  engine: 'onnxruntime cpu',
  trainingMs: 1000,
  thresholds: { review: 1.5, fail: 2.5 },
  basis: '60 good parts',
  metrics: [
    { className: 'cookies', pictures: 40, defects: 10, imageAuroc: 0.9987, falseRejectRate: 0.02, escapeRate: null },
  ],
  parity: { maxAbsDifference: 1.2e-5, verdictFlips: 0, pictures: 32 },
  note: '',
  geometry: { region: null, ignore: [] },
};

describe('printed reports', () => {
  it('escapes every value and keeps what is HTML already', () => {
    expect(html`<p title="${'"<&'}">${html`<b>${1}</b>`}</p>`.html).toBe('<p title="&#34;&#60;&#38;"><b>1</b></p>');
    const text = lotReport(lot, reportWords('en'));
    expect(text).not.toContain('<script>');
    expect(text).not.toContain('<img src=x>');
    expect(text).toContain('Cookies &#60;b&#62;');
  });

  it('a lot report gives counts with their denominator, share and exact interval', () => {
    const text = lotReport(lot, reportWords('en'));
    expect(text).toContain('3 / 412');
    // Clopper-Pearson, 3 of 412 at 95 %: 0.15 % to 2.11 %.
    expect(text).toContain('0.7 %');
    expect(text).toMatch(/0\.2 % – 2\.1 %/);
    expect(text).toContain('crack');
    expect(text).toContain('a'.repeat(64));
  });

  it('rates of nothing are a dash, not zero', () => {
    const none = { presented: 0, pass: 0, fail: 0, review: 0, noDecision: 0, waitingForReview: 0 };
    const statistics = { ...lot.statistics, counters: none, yield: [], pareto: [], answered: 0, falseRejects: 0 };
    const text = lotReport({ ...lot, statistics, notPassed: [] }, reportWords('en'));
    expect(text).not.toContain('NaN');
    expect(text).toContain('–');
  });

  it('a part that the calibration did not cover says so, in the list and on its certificate, in every language', () => {
    const uncovered: StationPart = { ...part, drift: { alarmId: 3, cause: 'light' } };
    for (const language of ['en', 'de', 'ko', 'zh-CN'] as const) {
      const words = reportWords(language);
      const note = words.notCovered('light');
      expect(lotReport({ ...lot, notPassed: [uncovered] }, words)).toContain(note);
      expect(lotReport({ ...lot, notPassed: [part] }, words)).not.toContain(note);
    }
    expect(reportWords('en').notCovered('camera')).toBe(
      'The calibration did not cover this part: the camera was set differently.',
    );
  });

  it('a certificate says both scores, the thresholds, the model and the hashes', () => {
    const text = partCertificate(certificate, reportWords('en'));
    for (const wanted of ['71.2', '3.2500', '1.5000', '2.5000', 'v12', 'b'.repeat(64), '60 %', 'cookies &#38; cream']) {
      expect(text).toContain(wanted);
    }
    expect(text.match(/base64,AAAA/g)).toHaveLength(2);
    // What people said is all there, also what was taken back; the area is in square millimetres; somebody signs.
    for (const wanted of ['taken back', 'Only dust.', '8.00 mm²', 'Signature', 'as trained', 'the station by itself'])
      expect(text).toContain(wanted);
    expect(text).toContain('Coloured from score 30 (review)');
  });

  it('the most similar good part is called so, in every language', () => {
    for (const language of languages) {
      const words = reportWords(language);
      const text = partCertificate({ ...certificate, similar: 'data:image/jpeg;base64,CCCC' }, words);
      expect(text).toContain(`<figcaption>${words.similar}</figcaption>`);
      expect(text).not.toContain(`<figcaption>${words.memory}</figcaption>`);
    }
  });

  it('a report of some parts only says which, and names the thresholds that held for how many parts', () => {
    expect(lotReport(lot, reportWords('en'))).not.toContain('Only parts with');
    const filter = { ...lot.filter, className: 'cookies', verdict: 'fail', person: 'disagrees', serial: 'A7' } as const;
    const text = lotReport({ ...lot, filter }, reportWords('en'));
    expect(text).toContain('Only parts with');
    for (const one of ['Class: cookies', 'Verdict: Fail', 'serial beginning with A7', 'differs from the model'])
      expect(text).toContain(one);
    expect(text).toMatch(/2\.2500[^]*>300<[^]*Fewer looks\.[^]*2\.5000[^]*>112<[^]*as trained/);
    expect(text).toContain('Quinn');
    // The folder of this station's disk is nobody else's business, and it's long.
    expect(text).not.toContain('inbox/');
  });

  it('thresholds are those that held when the part was judged', () => {
    const later = { ...held, at: '2026-11-22T09:00:00.000Z', reason: 'again' };
    const other = { ...held, at: '2026-11-22T08:30:00.000Z', thresholds: { review: 1, fail: 2 } };
    const all = [later, other, held];
    expect(heldWhen(all, held.thresholds, '2026-11-22T08:00:00.000Z')).toBe(held);
    expect(heldWhen(all, held.thresholds, '2026-11-22T09:30:00.000Z')).toBe(later);
    expect(heldWhen(all, { review: 7, fail: 8 }, '2026-11-22T09:30:00.000Z')).toBeUndefined();
    expect(heldThresholds(model, [])).toEqual([{ ...held, by: 'Kim' }]);
  });

  it('numbers are written as the language writes them, methods and gates as the window calls them', () => {
    const text = lotReport(lot, reportWords('de'));
    expect(text).toContain('2,5000');
    expect(text).toContain('0,7 %');
    for (const language of languages) {
      const catalogue = JSON.parse(
        readFileSync(new URL(`../../renderer/app/i18n/${language}/train.json`, import.meta.url), 'utf8'),
      ) as { preset: Record<string, string>; gate: Record<string, string> };
      const words = reportWords(language);
      expect(words.presets).toEqual(catalogue.preset);
      expect(words.gateNames).toEqual(catalogue.gate);
    }
  });

  it('a model card says where the thresholds come from and what was not measured', () => {
    const text = modelCard(
      {
        station: 'Line 3',
        project: 'Cookies',
        printedAt: lot.printedAt,
        printedBy: 'Quinn',
        model,
        held: [held],
        snapshot: { hash: 'c'.repeat(64), classes: [{ className: 'cookies', normal: 48, calibration: 12 }] },
        gates: [{ gate: 'parity', passed: true, statement: 'Fine.', sentences: [], changed: [] }],
        scores: { good: [0.5, 1], bad: [4, 900] },
      },
      reportWords('en'),
    );
    expect(text).toContain('0.9987');
    expect(text).toContain('not measured');
    expect(text).toContain('differ by at most 0.000012 over 32 pictures; 0 verdicts differ');
    for (const wanted of ['c'.repeat(64), '48', 'CPU (ONNX Runtime)', 'Same scores as in training', 'Full'])
      expect(text).toContain(wanted);
    expect(text).not.toMatch(/NaN|undefined|\[object/);
  });

  it('every language has its own words for the verdicts', () => {
    const fails = languages.map((language) => reportWords(language).verdicts.fail);
    expect(new Set(fails).size).toBe(languages.length);
    for (const language of languages) {
      const text = lotReport(lot, reportWords(language));
      expect(text).toContain(`lang="${language}"`);
      expect(text).toContain(reportWords(language).verdicts.fail);
    }
  });
});
