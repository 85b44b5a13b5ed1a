import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  floatTensor,
  parseSafetensors,
  parseSafetensorsFile,
  readSafetensors,
  writeSafetensors,
} from '../../main/backbones/safetensors.ts';
import { UserError } from '../../shared/errors.ts';
import fc from '../seeded-fast-check.ts';

const golden = (name: string) => new URL(`../fixtures/golden/${name}`, import.meta.url);

/** A file with a hand-written header. */
function file(header: string, data: number[] | Uint8Array = [], headerBytes?: bigint): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, headerBytes ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

const one = (dtype: string, shape: number[], bytes: number) =>
  JSON.stringify({ t: { dtype, shape, data_offsets: [0, bytes] } });

describe('parseSafetensors', () => {
  it('reads the golden teacher: names, shapes and values', async () => {
    const { tensors } = await readSafetensors(golden('weights/teacher.original.safetensors').pathname, {
      rejectNonFinite: true,
    });
    expect(tensors.get('pos_embed')?.shape).toEqual([1, 26, 32]);
    expect(tensors.get('blocks.11.attn.qkv.weight')?.shape).toEqual([96, 32]);
    expect(tensors.size).toBe(8 + 12 * 14);
    const flat = floatTensor(tensors, 'cls_token', 'teacher', [1, 1, 32]);
    expect(flat).toHaveLength(32);
    expect(() => floatTensor(tensors, 'cls_token', 'teacher', [32])).toThrow(/\[1, 1, 32\] instead of \[32\]/);
    expect(() => floatTensor(tensors, 'nothing', 'teacher')).toThrow(/'nothing' is missing/);
  });

  it('decodes half precision to the nearest values of the float32 original', async () => {
    const { tensors } = await readSafetensors(golden('weights/mini_state.safetensors').pathname);
    const half = tensors.get('half')!;
    const full = floatTensor(tensors, 'cls_token', 'mini');
    expect(half.dtype).toBe('F16');
    half.data.forEach((value, i) => expect(Math.abs(Number(value) - full[i]!)).toBeLessThanOrEqual(2 ** -11));
  });

  it('decodes every bit pattern class of F16 and BF16', () => {
    const f16 = [0x0000, 0x8000, 0x3c00, 0xbc00, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00];
    const data = new Uint8Array(new Uint16Array(f16).buffer);
    const got = parseSafetensors(file(one('F16', [10], 20), data), 'x').get('t')!.data;
    expect([...got]).toEqual([0, -0, 1, -1, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 65504, Infinity, -Infinity]);
    const bf16 = new Uint8Array(new Uint16Array([0x3f80, 0xc000, 0x7f80]).buffer);
    expect([...parseSafetensors(file(one('BF16', [3], 6), bf16), 'x').get('t')!.data]).toEqual([1, -2, Infinity]);
  });

  const hostile: [string, Uint8Array, RegExp][] = [
    ['empty file', new Uint8Array(0), /too short/],
    ['header length beyond the file', file('{}', [], 1000n), /cut off/],
    ['absurd header length', file('{}', [], 2n ** 63n), /does not begin like one/],
    ['not JSON', file('{nope}'), /not valid JSON/],
    ['a list', file('[]'), /not a table/],
    ['leading blanks', file(' {}'), /not a table/],
    ['bad UTF-8', file('{}', [], 2n).with(8, 0xff), /not valid JSON/],
    ['unknown dtype', file(one('F8', [1], 1), [0]), /unsupported type "F8"/],
    ['dtype of the prototype', file(one('toString', [1], 1), [0]), /unsupported type/],
    ['negative size', file(one('U8', [-1], 1), [0]), /impossible shape/],
    ['fractional size', file(one('U8', [0.5], 1), [0]), /impossible shape/],
    ['too few bytes', file(one('F32', [2], 4), [0, 0, 0, 0]), /needs 8/],
    ['overflowing shape', file(one('U8', [2 ** 32, 2 ** 32], 0)), /needs/],
    ['offsets beyond the file', file(one('U8', [4], 4), [0]), /outside the file/],
    ['offsets reversed', file('{"t":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}', [0]), /outside the file/],
    ['trailing bytes', file(one('U8', [1], 1), [0, 0]), /belong to none/],
    ['gap', file('{"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', [0, 0]), /a gap/],
    [
      'overlap',
      file(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        [0, 0, 0],
      ),
      /overlaps/,
    ],
    [
      'one name twice, once escaped',
      file(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        [0],
      ),
      /names 'a' twice/,
    ],
    ['metadata that is no text', file('{"__metadata__":{"a":1}}'), /metadata/],
    ['extra field', file('{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}'), /unknown field 'x'/],
    ['truth value 2', file(one('BOOL', [1], 1), [2]), /truth values/],
  ];
  it.each(hostile)('refuses %s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'bad.safetensors')).toThrow(message);
    expect(() => parseSafetensors(bytes, 'bad.safetensors')).toThrow(UserError);
  });

  it('refuses NaN and infinities only when asked to', () => {
    for (const value of [NaN, Infinity]) {
      const bytes = writeSafetensors([['w', { shape: [2], data: new Float32Array([1, value]) }]]);
      expect(parseSafetensors(bytes, 'x').size).toBe(1);
      expect(() => parseSafetensors(bytes, 'x', { rejectNonFinite: true })).toThrow(/finite/);
    }
  });

  it('takes a name like __proto__ as any other', () => {
    const bytes = writeSafetensors([['__proto__', { shape: [1], data: new Uint8Array([7]) }]]);
    expect(parseSafetensors(bytes, 'x').get('__proto__')?.data[0]).toBe(7);
  });

  it('answers any mutated file with tensors that fit or with a UserError', () => {
    const sound = readFileSync(golden('weights/mini_state.safetensors'));
    const headerBytes = Number(new DataView(sound.buffer, sound.byteOffset).getBigUint64(0, true));
    const edit = fc.record({
      at: fc.integer({ min: 0, max: headerBytes + 7 }),
      by: fc.oneof(
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom(...'{}[]",:0123456789-eE.'.split('').map((c) => c.charCodeAt(0))),
      ),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(200), (edits, cut) => {
        const bytes = new Uint8Array(sound).slice(0, sound.length - cut);
        for (const { at, by } of edits) bytes[at] = by;
        try {
          for (const { shape, data } of parseSafetensors(bytes, 'mutated').values()) {
            expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
          }
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('names the file that is missing', async () => {
    await expect(readSafetensors('/nowhere/x.safetensors')).rejects.toThrow(/\/nowhere\/x\.safetensors can't be read/);
  });
});

describe('writeSafetensors', () => {
  it('round-trips every type, whatever the alignment of the bytes', () => {
    const tensors = {
      f: { shape: [2, 1], data: new Float32Array([1.5, -2]) },
      d: { shape: [1], data: new Float64Array([Math.PI]) },
      l: { shape: [1], data: new BigInt64Array([-5n]) },
      i: { shape: [], data: new Int32Array([7]) },
      u: { shape: [3], data: new Uint8Array([1, 2, 3]) },
      b: { shape: [2], data: new Uint8Array([0, 1]), dtype: 'BOOL' as const },
      e: { shape: [0, 4], data: new Float32Array(0) },
    };
    const bytes = writeSafetensors(Object.entries(tensors), { step: '12' });
    expect(bytes).toEqual(writeSafetensors(Object.entries(tensors).reverse(), { step: '12' }));
    for (const shift of [0, 1, 4]) {
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      const read = parseSafetensorsFile(moved.subarray(shift), 'x');
      expect(read.metadata.get('step')).toBe('12');
      for (const [key, { shape, data }] of Object.entries(tensors)) {
        expect(read.tensors.get(key)?.shape).toEqual(shape);
        expect(read.tensors.get(key)?.data).toEqual(data);
      }
      expect(read.tensors.get('b')?.dtype).toBe('BOOL');
    }
  });

  it('refuses shapes and dtypes that do not fit', () => {
    expect(() => writeSafetensors([['a', { shape: [3], data: new Float32Array(2) }]])).toThrow(RangeError);
    expect(() => writeSafetensors([['a', { shape: [2], data: new Float32Array(2), dtype: 'I64' }]])).toThrow(
      RangeError,
    );
  });
});
