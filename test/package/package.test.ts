import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer as collect } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { UserError } from '../../shared/errors.ts';
import { EvaluationTableBuilder } from '../../shared/metrics/evaluation-table.ts';
import { describePackage } from '../../main/package/describe-package.ts';
import type { Manifest } from '../../main/package/manifest.ts';
import { type ModelPackage, readPackage, type ReadPackageOptions } from '../../main/package/read-package.ts';
import { type PackageContent, writePackage } from '../../main/package/write-package.ts';
import { dataMember, type MemberName, memberNames, sha256Of } from '../../main/package/zip-members.ts';
import { noise, sampleContent } from './sample-package.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-'));
  path = join(folder, 'größe 모델.twin');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options: ReadPackageOptions = { checkGraph: () => undefined };
const read = (overrides: Partial<ReadPackageOptions> = {}) => readPackage(path, { ...options, ...overrides });

async function failure(work: Promise<unknown>): Promise<UserError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  const userError = error as UserError;
  expect(userError.message).toContain(path);
  return userError;
}

/** Members of a package as plain data, to be changed and zipped again by `zip`. */
async function membersOf(): Promise<Map<string, Uint8Array>> {
  const model = await read();
  const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, null, 1)}\n`); // as the writer has it
  return new Map<string, Uint8Array>([
    ['manifest.json', json(model.manifest)],
    ['graph.onnx', model.graph],
    ['normals.json', json(model.normals)],
    ['attribution.txt', Buffer.from(model.attribution)],
    ['calibration.json', json(model.calibration)],
    ['statistics.safetensors', model.statistics!],
  ]);
}

interface ZipOptions {
  compress?: boolean;
  mode?: number;
}

async function zip(
  members: Iterable<[string, Uint8Array]>,
  { compress = false, mode = 0o100644 }: ZipOptions = {},
): Promise<void> {
  const file = new ZipFile();
  for (const [name, bytes] of members) file.addBuffer(Buffer.from(bytes), name, { compress, mode });
  file.end();
  await writeFile(path, await collect(file.outputStream as Readable));
}

/** Zips members with a manifest that lists them as they are, so that only what a test changed is wrong. */
async function zipConsistent(
  members: Map<string, Uint8Array>,
  change: (manifest: Record<string, unknown>) => void = () => undefined,
  zipOptions: ZipOptions = {},
): Promise<void> {
  const manifest = JSON.parse(Buffer.from(members.get('manifest.json')!).toString()) as Record<string, unknown>;
  manifest['members'] = [...members]
    .filter(([name]) => name !== 'manifest.json')
    .map(([name, bytes]) => ({ name, sha256: sha256Of(bytes), bytes: bytes.length }));
  change(manifest);
  await zip(
    [...members].map(([name, bytes]) => [
      name,
      name === 'manifest.json' ? Buffer.from(JSON.stringify(manifest)) : bytes,
    ]),
    zipOptions,
  );
}

describe('writing and reading', () => {
  it('gives back what was written, whole and unchanged', async () => {
    const content = sampleContent();
    const written = await writePackage(path, content);
    const seen: [number, string][] = [];
    const model = await read({ checkGraph: (graph, manifest) => seen.push([graph.length, manifest.id]) });
    expect(model.manifest).toEqual(written.manifest);
    expect(model.manifest).toMatchObject({ format: 'twinspect-model', formatVersion: 1, ...content.manifest });
    expect(model.normals).toEqual(content.normals);
    expect(Buffer.compare(model.graph, content.graph as Uint8Array)).toBe(0);
    expect(Buffer.compare(model.statistics!, content.statistics!)).toBe(0);
    expect(model.calibration).toEqual(content.calibration);
    expect(model.attribution).toBe('Backbone: EfficientNet-Lite2, Apache-2.0\n\nPictures: CC BY 4.0\n');
    expect(model.modelHash).toBe(written.modelHash);
    expect(model.modelHash).toBe(sha256Of(await readFile(path)));
    expect(model.fileBytes).toBe(written.fileBytes);
    expect(seen).toEqual([[20_000, 'sample-0001']]);
    expect(await readdir(folder)).toEqual(['größe 모델.twin']);
  });

  it('the same content gives the same bytes, another time another hash', async () => {
    const first = await writePackage(path, sampleContent());
    const second = await writePackage(join(folder, 'other.twin'), sampleContent());
    expect(second.modelHash).toBe(first.modelHash);
    const later = sampleContent();
    later.manifest.createdAt = '2026-01-02T03:04:06.000Z';
    expect((await writePackage(path, later)).modelHash).not.toBe(first.modelHash);
  });

  it('does without the optional members, and reads compressed ones', async () => {
    const { manifest, normals, graph } = sampleContent();
    await writePackage(path, { manifest, normals, graph });
    expect(await read()).toMatchObject({ calibration: undefined, statistics: undefined });
    await writePackage(path, sampleContent());
    const members = await membersOf();
    await zipConsistent(members, undefined, { compress: true });
    expect(Buffer.compare((await read()).graph, members.get('graph.onnx')!)).toBe(0);
  });

  it('keeps metrics, and drops preset values that JSON has no word for', async () => {
    const content = sampleContent();
    const builder = new EvaluationTableBuilder();
    builder.add('Schraube groß', [
      { gtLabel: 'good', predScore: 1, latencyMs: 3 },
      { gtLabel: 'defect', predScore: 2 },
    ]);
    content.manifest.metrics = builder.table();
    content.manifest.preset.constants = { a: undefined, b: 1 };
    await writePackage(path, content);
    const { manifest } = await read();
    expect(manifest.metrics).toEqual(builder.table());
    expect(manifest.preset.constants).toEqual({ b: 1 });
  });

  const refusals: [string, (content: PackageContent) => void, RegExp][] = [
    ['a class twice', (c) => c.manifest.classes.push(c.manifest.classes[0]!), /listed twice/],
    [
      'a wrong count',
      (c) => (c.manifest.classes[0]!.normalCount = 4),
      /should have 4 normal pictures, 2 of them held out/,
    ],
    ['a stray class', (c) => (c.manifest.classes.length = 1), /not a class of the model/],
    ['a missing output', (c) => c.manifest.outputs.shift(), /no output "predScore"/],
    ['too large a difference', (c) => (c.manifest.parity.maxAbsDifference = 2e-4), /failed the parity gate/],
    ['a changed verdict', (c) => (c.manifest.parity.verdictFlips = 1), /failed the parity gate/],
    ['a lax tolerance', (c) => (c.manifest.parity.tolerance = 1), /"parity.tolerance"/],
    ['a threshold that is not a number', (c) => (c.manifest.thresholds.pooled.fail = NaN), /"thresholds.pooled.fail"/],
    ['crossed thresholds', (c) => (c.manifest.thresholds.pooled.review = 99), /above the fail threshold/],
    ['a path out of the folder', (c) => (c.normals[0]!.fileName = '../../etc/passwd'), /the snapshot is not valid/],
    ['a control character', (c) => (c.normals[0]!.fileName = 'a\u001b[2J'), /control characters/],
  ];
  it.each(refusals)('does not write %s', async (_what, change, words) => {
    const content = sampleContent();
    change(content);
    const error = await failure(writePackage(path, content));
    expect(error.code).toBe('packageRefused');
    expect(error.message).toMatch(words);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a package that was damaged', () => {
  beforeEach(async () => {
    await writePackage(path, sampleContent());
  });

  it('any flipped bit is noticed, or changes nothing that is used', async () => {
    const whole = await readFile(path);
    const model = await read();
    const content = ({ manifest, normals, graph, statistics, calibration, attribution }: ModelPackage): string =>
      JSON.stringify([manifest, normals, sha256Of(graph), sha256Of(statistics!), calibration, attribution]);
    const positions = noise(250 * 4, 3);
    const tail = whole.length - 450; // The directory at the end is the delicate part: flip every byte of it.
    const offsets = [...Array.from({ length: 450 }, (_, i) => tail + i), ...Array.from({ length: 60 }, (_, i) => i)];
    for (let i = 0; i < 250; i++) offsets.push(new DataView(positions.buffer).getUint32(i * 4) % whole.length);
    let noticed = 0;
    for (const [i, offset] of offsets.entries()) {
      const damaged = Buffer.from(whole);
      damaged[offset]! ^= 1 << (i % 8);
      await writeFile(path, damaged);
      const result = await read().catch((error: unknown) => error);
      if (result instanceof UserError) noticed++;
      else expect(content(result as ModelPackage), `bit flipped at ${offset}`).toBe(content(model));
    }
    expect(noticed).toBeGreaterThan(500);
  });

  it('cut off at any length', async () => {
    const whole = await readFile(path);
    for (let i = 0; i < 60; i++) {
      await writeFile(path, whole.subarray(0, Math.floor((whole.length * i) / 60)));
      expect((await failure(read())).code).toMatch(/^package(Damaged|Foreign)$/);
    }
    await writeFile(path, '');
    expect((await failure(read())).message).toMatch(/it is empty/);
  });

  it('with something before or after it', async () => {
    const whole = await readFile(path);
    await writeFile(path, Buffer.concat([Buffer.from('MZ stub'), whole]));
    expect((await failure(read())).code).toBe('packageForeign');
    await writeFile(path, Buffer.concat([whole, Buffer.from('more')]));
    expect((await failure(read())).code).toBe('packageDamaged');
  });

  it.each(memberNames.filter((name) => name !== dataMember))('without %s', async (name) => {
    const members = await membersOf();
    members.delete(name);
    await zip(members);
    const error = await failure(read());
    expect(error.message).toContain(`"${name}" is missing`);
    expect(error.remedy).toMatch(/train/);
  });

  it('a member exchanged, shortened, or added behind the manifest', async () => {
    const members = await membersOf();
    await zip(new Map(members).set('graph.onnx', noise(20_000, 99)));
    expect((await failure(read())).message).toMatch(/"graph.onnx" was changed: its checksum/);
    await zip(new Map(members).set('graph.onnx', noise(10)));
    expect((await failure(read())).message).toMatch(/"graph.onnx" has 10 bytes instead of 20000/);
    await zipConsistent(members, (manifest) => {
      manifest['members'] = (manifest['members'] as { name: MemberName }[]).filter(
        ({ name }) => name !== 'calibration.json',
      );
    });
    expect((await failure(read())).message).toMatch(/"calibration.json" is not listed/);
  });
});

describe('a package that is not one, or is hostile', () => {
  it.each([
    ['text', Buffer.from('this is not a model')],
    ['one byte', Buffer.from('P')],
    ['noise', Buffer.from(noise(5000))],
  ])('%s', async (_what, bytes) => {
    await writeFile(path, bytes);
    const error = await failure(read());
    expect(error.code).toBe('packageForeign');
    expect(error.remedy).toMatch(/\.twin file made by "twinspect train"/);
  });

  it('missing, a folder', async () => {
    expect((await failure(read())).code).toBe('packageMissing');
    const file = path;
    path = folder;
    expect((await failure(read())).code).toMatch(/^package(Foreign|Unreadable)$/);
    path = file;
  });

  it('somebody else’s zip file', async () => {
    await zip([['readme.txt', Buffer.from('hello')]]);
    expect((await failure(read())).message).toMatch(/a member "readme.txt", which no package has/);
    await zip([['manifest.json', Buffer.from('{"name":"some web app","version":2}')]]);
    expect((await failure(read())).message).toMatch(/not that of a Twinspect model package/);
    await zip([]);
    expect((await failure(read())).code).toBe('packageForeign');
  });

  it.each([
    '../manifest.json',
    'a/manifest.json',
    '/manifest.json',
    'C:\\manifest.json',
    'MANIFEST.JSON',
    'manifest.json\u0000',
  ])('a member named %j', async (name) => {
    // The name is patched into a finished file: a proper writer would not take it.
    const bytes = Buffer.from('{}');
    await zip([['x'.repeat(Buffer.byteLength(name)), bytes]]);
    const file = await readFile(path);
    const wrong = Buffer.from(name);
    for (let at = file.indexOf('xxxxxxxx'); at >= 0; at = file.indexOf('xxxxxxxx', at + 1)) wrong.copy(file, at);
    await writeFile(path, file);
    expect((await failure(read())).code).toMatch(/^package(Damaged|Foreign)$/);
  });

  it('links, folders, a member twice, too many members', async () => {
    await zip([['manifest.json', Buffer.from('/etc/passwd')]], { mode: 0o120777 });
    expect((await failure(read())).message).toMatch(/not a plain file/);
    await zip([
      ['manifest.json', Buffer.from('{}')],
      ['manifest.json', Buffer.from('{}')],
    ]);
    expect((await failure(read())).message).toMatch(/"manifest.json" twice/);
    await zip(Array.from({ length: 9 }, (_, i) => [`m${i}`, Buffer.from('')]));
    expect((await failure(read())).message).toMatch(/has 9 members/);
  });

  it('two members that share their bytes', async () => {
    await writePackage(path, sampleContent());
    const file = await readFile(path);
    // Points the directory entry of normals.json at the local header of graph.onnx.
    const directory = (name: string): number => file.lastIndexOf(name) - 46;
    file.writeUInt32LE(file.readUInt32LE(directory('graph.onnx') + 42), directory('normals.json') + 42);
    await writeFile(path, file);
    expect((await failure(read())).message).toMatch(/headers of "normals.json" contradict/);
  });

  it('a bomb: sizes are judged before anything is unpacked', async () => {
    await zip([['manifest.json', new Uint8Array(4_000_000)]], { compress: true });
    expect((await failure(read())).message).toMatch(/claims to unpack to 4000000 bytes from \d{4}/);
    await zip([['manifest.json', new Uint8Array(9_000_000)]]);
    expect((await failure(read())).message).toMatch(/claims 9000000 bytes, at most 8388608/);
    await zip([['manifest.json', Buffer.from('{}')]], { compress: true });
    const file = await readFile(path);
    file.writeUInt32LE(0xfffffff0, file.lastIndexOf('manifest.json') - 46 + 24);
    await writeFile(path, file);
    expect((await failure(read())).code).toBe('packageTooLarge');
    await writePackage(path, sampleContent());
    const error = await failure(read({ limits: { fileBytes: 1000 } }));
    expect(error.message).toMatch(/at most 1000 are allowed/);
  });

  it('a member that unpacks to more or less than it claims', async () => {
    await zip([['manifest.json', Buffer.from('a'.repeat(500))]], { compress: true });
    const good = await readFile(path);
    for (const claimed of [499, 501, 0]) {
      const file = Buffer.from(good);
      file.writeUInt32LE(claimed, file.lastIndexOf('manifest.json') - 46 + 24);
      await writeFile(path, file);
      expect((await failure(read())).message).toMatch(/can't be unpacked/);
    }
  });

  const manifests: [string, string | Uint8Array, RegExp][] = [
    ['cut JSON', '{"format":', /not valid JSON/],
    ['no UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), /not UTF-8/],
    ['deep nesting', '['.repeat(100_000), /nested deeper than 32/],
    ['deep nesting beside strings', `{"a":"]\\"]","b":${'['.repeat(40)}${']'.repeat(40)}}`, /nested deeper/],
    ['a prototype key', '{"__proto__":{"format":"twinspect-model"}}', /__proto__/],
    ['a huge number', '{"format":1e999}', /number that is too large/],
    ['null', 'null', /not that of a Twinspect/],
    ['a list', '[1]', /not that of a Twinspect/],
    [
      'nothing but its format',
      '{"format":"twinspect-model","formatVersion":1}',
      /not as it should be at "id".*and \d+ more/,
    ],
    ['version 0', '{"format":"twinspect-model","formatVersion":0}', /at "formatVersion"/],
  ];
  it.each(manifests)('a manifest with %s', async (_what, manifest, words) => {
    await zip([['manifest.json', Buffer.from(manifest)]]);
    const error = await failure(read());
    expect(error.message).toMatch(words);
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });

  it('a newer format is named as such, with the version that made it', async () => {
    await zip([
      ['manifest.json', Buffer.from('{"format":"twinspect-model","formatVersion":2,"productVersion":"3.1"}')],
    ]);
    const error = await failure(read());
    expect(error.code).toBe('packageNewer');
    expect(error.message).toMatch(/made by a newer Twinspect \("3\.1"\).*format is 2, this version reads format 1/);
    expect(error.remedy).toMatch(/Update Twinspect/);
  });

  const changes: [string, (manifest: Manifest) => void, RegExp][] = [
    ['an unknown field', (m) => Object.assign(m, { extra: 1 }), /extra/],
    ['a wrong snapshot hash', (m) => (m.snapshotHash = '0'.repeat(64)), /snapshot does not have the hash/],
    ['a wrong count', (m) => (m.classes[1]!.heldOutCount = 3), /should have 6 normal pictures, 3 of them held out/],
    ['thresholds of no class', (m) => (m.thresholds.classes[0]!.className = 'other'), /thresholds for "other"/],
    [
      'crossed thresholds',
      (m) => (m.thresholds.pooled.review = m.thresholds.pooled.fail + 1),
      /above the fail threshold/,
    ],
    ['a failed parity gate', (m) => (m.parity.verdictFlips = 2), /parity gate/],
    ['a member listed twice', (m) => m.members.push(m.members[0]!), /lists "graph.onnx" twice/],
    ['an input size of 0', (m) => (m.inputSize = 0), /"inputSize"/],
    ['terminal codes in a name', (m) => (m.classes[0]!.name = '\u001b]0;x'), /control characters/],
  ];
  it.each(changes)('a manifest with %s', async (_what, change, words) => {
    await writePackage(path, sampleContent());
    await zipConsistent(await membersOf(), (manifest) => change(manifest as Manifest));
    const error = await failure(read());
    expect(error.message).toMatch(words);
  });

  it('a graph that the graph check refuses', async () => {
    await writePackage(path, sampleContent());
    const checkGraph = (): never => {
      throw new UserError('graphRefused', 'The operator "If" is not allowed.', 'Train it again.');
    };
    const error = await failure(read({ checkGraph }));
    expect(error).toMatchObject({ code: 'graphRefused', remedy: 'Train it again.' });
    expect(error.message).toMatch(/can't be used: The operator "If" is not allowed\. Train it again\.$/);
    const broken = new TypeError('a defect of the program');
    const fails = (): never => {
      throw broken;
    };
    await expect(read({ checkGraph: fails })).rejects.toBe(broken);
  });
});

describe('describePackage', () => {
  it('tells a person and a script what is in it', async () => {
    const content = sampleContent();
    const builder = new EvaluationTableBuilder();
    builder.add('Schraube groß', [{ gtLabel: 'good', predScore: 1 }]);
    content.manifest.metrics = builder.table();
    await writePackage(path, content);
    await copyFile(path, join(folder, 'copy.twin'));
    const model = await read();
    const { text, json } = describePackage(model);
    expect(text).toMatch(/^größe 모델\.twin: valid/);
    for (const part of [
      model.modelHash,
      'preset',
      'embedded, seed 0',
      '너트 🔩',
      '6 normal, 2 held out',
      'CC BY 4.0',
      'AUROC',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain('score 0.7 ± 0.2');
    expect(json).toMatchObject({ valid: true, modelHash: model.modelHash, normals: 11, file: path });
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  });
});
