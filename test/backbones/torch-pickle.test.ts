import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namedTensors, pickleLimits, type PickledTuple } from '../../main/backbones/pickle-values.ts';
import { readSafetensors } from '../../main/backbones/safetensors.ts';
import { openTorchFile } from '../../main/backbones/torch-file.ts';
import { readPickle } from '../../main/backbones/torch-pickle.ts';
import { readWeight } from '../../main/backbones/weight-tensor.ts';
import { UserError } from '../../shared/errors.ts';
import { fuzzWeights } from './mutate-weights.ts';

const golden = (name: string) => new URL(`../fixtures/golden/weights/${name}`, import.meta.url).pathname;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect-pickle-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A pickle from texts and opcodes; texts stand for their bytes. */
function pickle(...parts: (string | number | number[])[]): Uint8Array {
  const bytes = parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part, 'latin1')] : part));
  return Uint8Array.from([0x80, 2, ...bytes]);
}

const text = (value: string) => [0x58, value.length, 0, 0, 0, ...Buffer.from(value)];
/** `('storage', torch.FloatStorage, '0', 'cpu', count)` as persistent id. */
const storage = (count: number) => [
  0x28,
  ...text('storage'),
  ...Buffer.from('ctorch\nFloatStorage\n'),
  ...text('0'),
  ...text('cpu'),
  0x4b,
  count,
  0x74,
  0x51,
];

describe('readPickle', () => {
  it('reads the golden archive: float32, float16 and a tensor that is not gapless', async () => {
    const { tensors, others } = await openTorchFile(golden('mini_state.pth'));
    expect(others).toEqual([]);
    const expected = (await readSafetensors(golden('mini_state.safetensors'))).tensors;
    expect([...tensors.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [key, stored] of tensors) {
      expect(stored.shape, key).toEqual(expected.get(key)!.shape);
      const data = await readWeight({ shape: stored.shape, pieces: [stored] }, key);
      expect(data, key).toEqual(expected.get(key)!.data);
    }
    expect(tensors.get('transposed')?.strides).toEqual([1, 32]);
  });

  it('refuses whatever could run something, by name', () => {
    const system = [...Buffer.from('cos\nsystem\n'), ...text('echo harm'), 0x85, 0x52, 0x2e];
    const hostile: [string, Uint8Array, RegExp][] = [
      ['os.system', pickle(system), /asks for "os\.system".*nothing of it was run/],
      ['builtins.eval', pickle('cbuiltins\neval\n.'), /asks for "builtins\.eval"/],
      ['stacked global', pickle(text('posix'), text('system'), 0x93, '.'), /asks for "posix\.system"/],
      ['another torch function', pickle('ctorch.hub\nload\n.'), /asks for "torch\.hub\.load"/],
      [
        'a whole module',
        pickle('cdinov2.models\nVisionTransformer\n.'),
        /"dinov2\.models\.VisionTransformer".*checkpoint/,
      ],
      ['INST', pickle('(ios\nsystem\n.'), /pickle step INST/],
      ['OBJ', pickle('(o.'), /pickle step OBJ/],
      ['NEWOBJ', pickle(0x29, 0x29, 0x81, '.'), /pickle step NEWOBJ/],
      ['EXT1', pickle(0x82, 1, '.'), /pickle step EXT1/],
      ['text persistent id', pickle('Pid\n.'), /pickle step PERSID/],
      ['BUILD on a type', pickle('ctorch\nFloatStorage\n', 0x7d, 0x62, '.'), /step BUILD on an object/],
      ['unknown step', pickle(0xfe, '.'), /pickle step 0xfe/],
      ['a call of a type', pickle('ctorch\nFloatStorage\n', 0x29, 0x52, '.'), /odd call of torch\.FloatStorage/],
      ['a call of a text', pickle(text('x'), 0x29, 0x52, '.'), /an odd call/],
    ];
    for (const [name, bytes, message] of hostile) expect(() => readPickle(bytes, 'x.pth'), name).toThrow(message);
  });

  it('refuses damage: cut, unbalanced, too deep, too much', () => {
    const damaged: [string, Uint8Array, RegExp][] = [
      ['empty', new Uint8Array(0), /cut off/],
      ['no end', pickle(0x4e), /cut off/],
      ['text beyond the end', pickle(0x58, 200, 0, 0, 0, 'abc'), /cut off/],
      ['huge text', pickle(0x58, 0, 0, 2, 0, 'abc'), /a text of 131072 bytes/],
      ['length of 64 bits', pickle(0x8d, [255, 255, 255, 255, 255, 255, 255, 255]), /beyond any file/],
      ['huge number', pickle(0x8a, 200), /a number of 200 bytes/],
      ['bad UTF-8', pickle(0x8c, 1, 0xff, '.'), /not UTF-8/],
      ['nothing on the stack', pickle('.'), /a value is missing/],
      ['no mark', pickle(0x4e, 't.'), /a mark is missing/],
      ['mark as value', pickle('(.'), /a value is missing/],
      ['values left', pickle(0x4e, 0x4e, '.'), /leaves values/],
      ['goes on', pickle(0x4e, '..'), /goes on after its end/],
      ['unknown memo', pickle(0x68, 9, '.'), /never remembered/],
      ['append to a number', pickle(0x4b, 1, 0x4b, 2, 'a.'), /no list/],
      ['odd pairs', pickle(0x7d, '(', 0x4b, 1, 'u.'), /no table/],
      ['key is a table', pickle(0x7d, 0x7d, 0x4e, 's.'), /an odd key/],
      ['nested marks', pickle('('.repeat(pickleLimits.depth + 1)), /nested deeper/],
      ['endless', pickle('N'.repeat(pickleLimits.opcodes + 1)), /more than 300000 steps/],
      ['too large', new Uint8Array(pickleLimits.bytes + 1), /has 4194305 bytes/],
      ['protocol 9', Uint8Array.from([0x80, 9, 0x4e, 0x2e]), /protocol 9/],
    ];
    for (const [name, bytes, message] of damaged) expect(() => readPickle(bytes, 'x.pth'), name).toThrow(message);
  });

  it('refuses tensors outside their storage, and ones that unpack to more than it', () => {
    const tensor = (shape: number[], strides: number[], offset = 0) =>
      pickle(
        'ctorch._utils\n_rebuild_tensor_v2\n(',
        storage(10),
        [0x4b, offset],
        [0x28, ...shape.flatMap((n) => [0x4b, n]), 0x74],
        [0x28, ...strides.flatMap((n) => [0x4b, n]), 0x74],
        [0x89, ...Buffer.from('ccollections\nOrderedDict\n'), 0x29, 0x52, 0x74, 0x52, 0x2e],
      );
    expect(readPickle(tensor([2, 5], [5, 1]), 'x')).toMatchObject({ kind: 'tensor', storageSize: 10, offset: 0 });
    expect(readPickle(tensor([0], [1], 200), 'x')).toMatchObject({ shape: [0] });
    expect(() => readPickle(tensor([2, 6], [5, 1]), 'x')).toThrow(/outside its storage/);
    expect(() => readPickle(tensor([5], [1], 6), 'x')).toThrow(/outside its storage/);
    expect(() => readPickle(tensor([200, 200], [0, 0]), 'x')).toThrow(/outside its storage/);
    expect(() => readPickle(tensor([2], [1, 1]), 'x')).toThrow(/impossible shape/);
    expect(() => readPickle(pickle(0x4b, 1, 0x51, '.'), 'x')).toThrow(/storage is described oddly/);
  });

  it('joins names of nested tables, and stops at tables within themselves', () => {
    const inner = [...text('b'), 0x7d];
    expect([...namedTensors(readPickle(pickle(0x7d, inner, 's.'), 'x'), 'x').keys()]).toEqual([]);
    // d = {}; d['a'] = d
    const cyclic = readPickle(pickle(0x7d, 0x71, 0, text('a'), 0x68, 0, 's.'), 'x');
    expect(() => namedTensors(cyclic, 'x')).toThrow(/nested too deep/);
    // Ten tables, each holding the one before ten times: 10^8 names if they were all followed.
    const bomb: number[] = [0x28, 0x7d, 0x71, 0];
    for (let level = 1; level <= 7; level += 1) {
      bomb.push(0x7d, 0x71, level);
      for (let i = 0; i < 10; i += 1) bomb.push(...text(`k${i}`), 0x68, level - 1, 0x73);
    }
    const levels = readPickle(pickle(bomb, 't.'), 'x') as PickledTuple;
    const top = levels.items[7]!;
    expect(() => namedTensors(top, 'x')).toThrow(/more than any network has/);
  });

  it('never reaches the system, whatever a pickle asks for', () => {
    const marker = path.join(folder, 'harm');
    const bytes = pickle('cos\nsystem\n', text(`touch ${marker}`), 0x85, 0x52, 0x2e);
    expect(() => readPickle(bytes, 'x.pth')).toThrow(UserError);
    expect(existsSync(marker)).toBe(false);
  });
});

describe('thousands of damaged files', () => {
  it.each([
    ['safetensors', 3000],
    ['pickle', 3000],
    ['archive', 300],
  ] as const)(
    '%s: only messages for the person',
    async (target, rounds) => {
      const result = await fuzzWeights(target, rounds, 4, folder);
      expect(result.failures).toEqual([]);
      expect(result.refused + result.accepted).toBe(rounds);
      expect(result.refused).toBeGreaterThan(rounds / 2);
    },
    300_000,
  );
});
