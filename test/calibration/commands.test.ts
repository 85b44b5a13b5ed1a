import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CalibrationReport } from '../../main/calibration/report.ts';
import type { GateReport } from '../../main/cli/commands/gate.ts';
import { manifestSchema, thresholdCalibrationSchema, type NormalPicture } from '../../main/package/manifest.ts';
import { readPackage } from '../../main/package/read-package.ts';
import { writePackage } from '../../main/package/write-package.ts';
import type { ThresholdCalibration } from '../../shared/calibration/thresholds.ts';
import { brightnessDetector, runCli } from '../cli/fakes.ts';
import { greyPng, writePicture } from '../cli/pictures.ts';
import { sampleContent } from '../package/sample-package.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect-calibration-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Writes a package of one class that learned from the given file contents. */
async function writeModel(
  name: string,
  learned: readonly Uint8Array[] = [],
  held: readonly Uint8Array[] = [],
): Promise<string> {
  const content = sampleContent();
  const picture =
    (heldOut: boolean) =>
    (bytes: Uint8Array, i: number): NormalPicture => ({
      sha256: createHash('sha256').update(bytes).digest('hex'),
      fileName: `${String(i)}.png`,
      className: 'tile',
      heldOut,
    });
  const normals = [...learned, new Uint8Array([1])].map(picture(false)).concat(held.map(picture(true)));
  const entry = { name: 'tile', normalCount: normals.length, heldOutCount: held.length, fusedScore: null };
  const { pooled, ...rules } = content.manifest.thresholds;
  const file = path.join(folder, name);
  await writePackage(file, {
    ...content,
    normals,
    manifest: { ...content.manifest, classes: [entry], thresholds: { ...rules, pooled, classes: [] } },
  });
  return file;
}

/** Good parts between 10 and 40, defects between 150 and 250 (score = brightness / 64), all different files. */
async function writeData(good: number, bad: number): Promise<string> {
  const dir = path.join(folder, 'data', 'tile');
  for (let i = 0; i < good; i++)
    await writePicture(
      path.join(dir, 'test', 'good', `lot-${String(i >> 2)}_${String(i)}.png`),
      10 + (i % 30),
      16,
      i + 1,
    );
  for (let i = 0; i < bad; i++)
    await writePicture(
      path.join(dir, 'test', 'scratch', `lot-${String(i >> 2)}_${String(i)}.png`),
      150 + (i % 100),
      16,
      i + 1,
    );
  return dir;
}

interface CalibrateRecord {
  refused: boolean;
  report: CalibrationReport;
  pooled?: { review: number; fail: number; statement: string };
}
const calibrate = async (...words: string[]) => {
  const run = await runCli(['calibrate', '--json', ...words]);
  return { ...run, record: run.out === '' ? undefined : (run.records()[0] as unknown as CalibrateRecord) };
};

describe('calibrate', () => {
  it('a limit that the pictures can show: thresholds, guarantee, work per 1,000 and per hour', async () => {
    const model = await writeModel('m.twin');
    const data = await writeData(60, 60);
    const report = path.join(folder, 'report.json');
    const run = await calibrate(
      ...['--model', model, '--data', data, '--policy', 'escape', '--target', '0.05', '--other-rate', '0.05'],
      ...['--defect-rate', '0.005', '--parts-per-hour', '600', '--report', report, '--group-by', 'lot-(\\d+)'],
    );
    expect(run.code).toBe(0);
    const { record } = run;
    expect(record?.refused).toBe(false);
    expect(record?.pooled?.fail).toBeGreaterThan(150 / 64 - 0.1);
    expect(record?.pooled?.review).toBeLessThan(1);
    expect(record?.pooled?.statement).toMatch(/at most 5 % of defective parts.*at most 5 % of good parts/);
    expect(record?.report.operatingPoint?.perHour?.reviews.value).toBeCloseTo(0, 5);
    expect(record?.report.auroc).toMatchObject({ auroc: 1, method: 'separation' });
    expect(record?.report.unknownClass).toMatchObject({ ok: false, moreNormals: 239 });
    expect(run.err).toMatch(/Of 1,000 parts at a defect rate of 0\.5 %/);
    expect(run.err).toMatch(/test pictures are used/);
    const { policy, maxReviewRate, confidence, pooled, classes } = { ...(record as unknown as ThresholdCalibration) };
    const stored = { policy, maxReviewRate, confidence, pooled, classes };
    expect(thresholdCalibrationSchema.parse(stored).policy).toEqual({ kind: 'maxEscapeRate', rate: 0.05 });
    expect(JSON.parse(await readFile(report, 'utf8'))).toEqual(record?.report);
  });

  it('F1 puts the threshold between good parts and defects, with both rates bounded', async () => {
    const run = await calibrate(
      '--model',
      await writeModel('m.twin'),
      '--data',
      await writeData(40, 40),
      '--policy',
      'f1',
    );
    expect(run.code).toBe(0);
    expect(run.record?.pooled?.fail).toBeGreaterThan(39 / 64);
    expect(run.record?.pooled?.fail).toBeLessThan(150 / 64);
    expect(run.record?.report.calibration.pooled).toMatchObject({ ok: true, normals: 40, defects: 40 });
  });

  it('a limit out of reach is refused with exit code 4 and a number; --best-reachable takes what there is', async () => {
    const model = await writeModel('m.twin');
    const words = ['--model', model, '--data', await writeData(20, 24), '--policy', 'escape=0.01'];
    const refused = await calibrate(...words);
    expect(refused.code).toBe(4);
    expect(refused.record).toMatchObject({ refused: true });
    expect(refused.record?.pooled).toBeUndefined();
    expect(refused.err).toMatch(/Refused: 24 defects cannot show .* Further defects needed: 275\./);
    const taken = await calibrate(...words, '--best-reachable');
    expect(taken.code).toBe(0);
    expect(taken.record?.pooled?.statement).toMatch(/^24 defects cannot show .* at most 11\.7 % of defective parts/);
  });

  it('cost needs its numbers, and says what cannot be weighed', async () => {
    const model = await writeModel('m.twin');
    const words = ['--model', model, '--data', await writeData(40, 40), '--policy', 'cost'];
    const bare = await calibrate(...words);
    expect(bare.code).toBe(1);
    expect(bare.err).toMatch(/Give e\.g\. --cost 100:1:0\.2 --defect-rate 0\.005/);
    const done = await calibrate(...words, '--cost', '100:1:0.2', '--defect-rate', '0.01');
    expect(done.code).toBe(0);
    expect(done.record?.report.calibration.pooled).toMatchObject({ ok: true, policy: { kind: 'cost', review: 0.2 } });
    for (const [costs, rate, message] of [
      ['0:1:1', '0.01', /escape cost of 0 cannot be weighed/],
      ['Infinity:1:1', '0.01', /escape cost of Infinity cannot be weighed/],
      ['9:1:1', '0', /defect rate of 0 there is nothing to find/],
      ['9:1:1', '1', /defect rate of 1 every part is bad/],
    ] as const) {
      const odd = await calibrate(...words, '--cost', costs, '--defect-rate', rate);
      expect(odd.code).toBe(4);
      expect(odd.err).toMatch(message);
    }
    expect((await calibrate(...words, '--cost', '1:x')).code).toBe(2);
    expect((await calibrate(...words.slice(0, 4), '--policy', 'guess')).code).toBe(2);
  });

  it('pictures that were trained on are refused; held-out ones are noted', async () => {
    const data = await writeData(20, 5);
    const [first, second] = [greyPng(10, 16, 1), greyPng(11, 16, 2)];
    const tainted = await calibrate('--model', await writeModel('t.twin', [first]), '--data', data);
    expect(tainted.code).toBe(1);
    expect(tainted.err).toMatch(/1 of 20 calibration pictures were trained on, first .*lot-0_0\.png/);
    const held = await calibrate('--model', await writeModel('h.twin', [], [first, second]), '--data', data);
    expect(held.code).toBe(0);
    expect(held.err).toMatch(/2 of 20 pictures were held out of training/);
    expect(held.err).toMatch(/only identical files could be recognised/);
  });

  it('one picture under both labels is refused', async () => {
    const data = await writeData(5, 5);
    await writePicture(path.join(data, 'test', 'scratch', 'again.png'), 10, 16, 1);
    const run = await calibrate('--model', await writeModel('m.twin'), '--data', data, '--policy', 'f1');
    expect(run.code).toBe(1);
    expect(run.err).toMatch(
      /labelled both good and defective, first .*lot-0_0\.png.* \(good\) and .*again\.png.* \(defect\)/,
    );
  });

  it('good parts alone, and three pictures: says what is missing, pretends nothing', async () => {
    const run = await calibrate('--model', await writeModel('m.twin'), '--data', await writeData(3, 0));
    expect(run.code).toBe(0);
    expect(run.record?.refused).toBe(true);
    expect(run.err).toMatch(/too few normal pictures to say anything/);
    expect(run.err).toMatch(/Refused: 3 good parts cannot show .* Further good parts needed: 296/);
    const noDefects = await calibrate(
      '--model',
      path.join(folder, 'm.twin'),
      '--data',
      path.join(folder, 'data'),
      '--policy',
      'f1',
    );
    expect(noDefects.code).toBe(4);
    expect(noDefects.err).toMatch(/There are no defects/);
  });
});

describe('gate', () => {
  /** A candidate that sees nothing wrong with bright parts. */
  const blind = () =>
    brightnessDetector({
      modelHash: 'b'.repeat(64),
      inspect: async (pictures) => {
        const results = await brightnessDetector().inspect(pictures);
        return results.map((result) => ({ ...result, predScore: result.predScore > 3 ? 0.1 : result.predScore }));
      },
    });
  const gate = (words: readonly string[], candidate = brightnessDetector()) =>
    runCli(
      ['gate', '--json', '--active', path.join(folder, 'a.twin'), '--candidate', path.join(folder, 'c.twin'), ...words],
      {
        services: {
          openDetector: (file) => Promise.resolve(file.endsWith('c.twin') ? candidate : brightnessDetector()),
        },
      },
    );
  const recordOf = (run: { records(): unknown[] }): GateReport => run.records()[0] as GateReport;

  it('accepts a model that is no worse', async () => {
    await writeModel('a.twin');
    await writeModel('c.twin');
    const run = await gate(['--golden', await writeData(80, 80), '--cycle-time', '100000']);
    expect(run.code).toBe(0);
    const report = recordOf(run);
    expect(report.open).toBe(true);
    expect(report.gates.map((result) => [result.gate, result.outcome])).toEqual([
      ['parity', 'accepted'],
      ['goldenSet', 'accepted'],
      ['latency', 'accepted'],
    ]);
    expect(run.err).toMatch(/The candidate may take over/);
  });

  it('refuses one that misses defects, lists them, and keeps an override visible', async () => {
    await writeModel('a.twin');
    await writeModel('c.twin');
    const golden = ['--golden', await writeData(80, 80)];
    const page = path.join(folder, 'gate.html');
    const run = await gate([...golden, '--report', page], blind());
    expect(run.code).toBe(4);
    const report = recordOf(run);
    const golden1 = report.gates.find((result) => result.gate === 'goldenSet')!;
    expect(golden1.outcome).toBe('refused');
    expect(golden1.changed.length).toBeGreaterThan(10);
    expect(golden1.changed[0]).toMatchObject({ active: 'fail', candidate: 'pass', effect: 'worse', gtLabel: 'defect' });
    const html = await readFile(page, 'utf8');
    expect(html).toContain('The candidate is refused');
    expect(html).toContain('Active: fail');
    const letThrough = await gate(
      [...golden, '--override-by', 'Ada', '--override-role', 'engineer', '--override-reason', 'line stands still'],
      blind(),
    );
    expect(letThrough.code).toBe(0);
    const after = recordOf(letThrough).gates.find((result) => result.gate === 'goldenSet')!;
    expect(after).toMatchObject({ outcome: 'refused', override: { by: 'Ada', role: 'engineer' } });
    const half = await gate([...golden, '--override-by', 'Ada'], blind());
    expect(half.err).toMatch(/needs a name, a role and a reason/);
    const wrong = await gate(
      [...golden, '--override-by', 'O', '--override-role', 'operator', '--override-reason', 'because I say so'],
      blind(),
    );
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringMatching(/may not override/)]);
  });

  it('judges golden pictures as the line does: one of no known class does not pass', async () => {
    await writeModel('a.twin');
    await writeModel('c.twin');
    const run = await gate(['--golden', await writeData(3, 1)], brightnessDetector({ unknownClass: { value: 0.5 } }));
    const golden = recordOf(run).gates.find((result) => result.gate === 'goldenSet')!;
    expect(golden.changed.map(({ active, candidate }) => [active, candidate])).toEqual(
      Array.from({ length: 3 }, () => ['pass', 'review']),
    );
  });

  it('golden pictures that the candidate learned from void the comparison; a class it lost refuses', async () => {
    await writeModel('a.twin');
    await writeModel('c.twin', [greyPng(10, 16, 1)]);
    const golden = ['--golden', await writeData(80, 80)];
    const tainted = await gate(golden);
    expect(tainted.code).toBe(4);
    expect(tainted.err).toMatch(/1 golden pictures were trained on by the candidate model/);
    const lost = await gate(golden, brightnessDetector({ classes: ['tile', 'new one'] }));
    expect(lost.err).toMatch(/does not know the class "Plättchen"/);
    expect(recordOf(lost).gates.map((result) => result.gate)).toContain('oldProducts');
    const none = await gate(golden, brightnessDetector({ classes: ['new one'] }));
    expect([none.code, none.err]).toEqual([1, expect.stringMatching(/no picture of a class that both models know/)]);
  });

  it('the written package keeps a cost policy', async () => {
    const file = await writeModel('m.twin');
    const { manifest } = await readPackage(file, { checkGraph: () => undefined });
    const policy = { kind: 'cost', escape: 10, reject: 1, review: 0.1, defectRate: 0.01 };
    const parsed = manifestSchema.parse({ ...manifest, thresholds: { ...manifest.thresholds, policy } });
    expect(parsed.thresholds.policy).toEqual(policy);
  });
});
