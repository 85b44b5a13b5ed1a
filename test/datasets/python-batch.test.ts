import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPythonBatch, type ByteArray } from '../../main/datasets/python-batch.ts';
import { UserError } from '../../shared/errors.ts';
import fc from '../seeded-fast-check.ts';

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'datasets');
const fixture = (name: string): Uint8Array => readFileSync(join(fixtures, name));

/** A batch as Python 2 wrote it: texts as bytes, numpy's names of then. */
function python2Batch(): Buffer {
  const text = (value: string): Buffer =>
    Buffer.concat([Buffer.from(`U${String.fromCharCode(value.length)}`, 'latin1'), Buffer.from(value)]);
  const data = Buffer.alloc(2 * 3072, 7);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(data.length);
  return Buffer.concat([
    Buffer.from('\x80\x02}q\x01(', 'latin1'),
    text('data'),
    Buffer.from(
      'q\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T',
      'latin1',
    ),
    length,
    data,
    Buffer.from('tb', 'latin1'),
    text('labels'),
    Buffer.from('](K\x06K\x09eu.', 'latin1'),
  ]);
}

describe('a batch', () => {
  test.each(['cifar10-batch-protocol2.pickle', 'cifar10-batch-protocol4.pickle'])('of Python 3: %s', (name) => {
    const table = readPythonBatch(fixture(name), name);
    expect(table.get('labels')).toEqual([3, 9]);
    expect(table.get('filenames')).toEqual(['a.png', 'b.png']);
    const { shape, data } = table.get('data') as ByteArray;
    expect(shape).toEqual([2, 3072]);
    expect([data[0], data[1024], data[2048], data[3072], data[4096], data[5120]]).toEqual([
      94, 129, 193, 216, 206, 234,
    ]);
  });

  test('of Python 2, as CIFAR is published', () => {
    const table = readPythonBatch(python2Batch(), 'data_batch_1');
    expect(table.get('labels')).toEqual([6, 9]);
    expect((table.get('data') as ByteArray).data).toHaveLength(6144);
  });
});

describe('what is refused', () => {
  test('a pickle that asks for a program, and nothing is run', () => {
    expect(() => readPythonBatch(fixture('malicious.pickle'), 'evil')).toThrow(/it asks for "(posix|os|nt)\.system"/);
    expect(existsSync('hacked-by.txt')).toBe(false);
  });

  test('an array of another size than its bytes, or of other numbers', () => {
    const bytes = python2Batch();
    const wrongSize = Buffer.from(bytes);
    wrongSize[wrongSize.indexOf('K\x01K\x02M')! + 3] = 3;
    expect(() => readPythonBatch(wrongSize, 'x')).toThrow(/another size/);
    const floats = Buffer.from(bytes.toString('latin1').replace('u1K', 'f4K'), 'latin1');
    expect(() => readPythonBatch(floats, 'x')).toThrow(/other numbers than bytes/);
  });

  test('truncated and mutated files are errors, never crashes', () => {
    const whole = python2Batch();
    const outcome = (bytes: Uint8Array): void => {
      try {
        readPythonBatch(bytes, 'x');
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    };
    for (let end = 0; end < 300; end++) outcome(whole.subarray(0, end));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(260), fc.nat(255)), { minLength: 1, maxLength: 8 }), (edits) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of edits) bytes[at] = value;
        outcome(bytes);
      }),
      { numRuns: 3000 },
    );
  });
});
