/**
 * Reads the pickles that CIFAR is published in: dictionaries of numbers, texts, lists and arrays of bytes.
 *
 * A pickle is a program whose opcodes may import and call anything. This reader knows a few opcodes and three names, all
 * of which it handles itself; whatever else a file asks for is refused by name. Nothing is imported, called or evaluated.
 */
import { UserError } from '../../shared/errors.ts';

/** An array of unsigned bytes, row-major. */
export interface ByteArray {
  shape: readonly number[];
  data: Uint8Array;
}
export type BatchValue = null | boolean | number | string | Uint8Array | ByteArray | BatchValue[] | BatchTable;
export type BatchTable = Map<string, BatchValue>;

const limits = { opcodes: 4_000_000, memo: 4_000_000, depth: 64, bytes: 2 ** 29 };

/** A name the pickle refers to. */
class Name {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
/** A numpy array before its state has come. */
class ArrayShell {
  value: ByteArray | undefined;
}
/** numpy's dtype: only unsigned bytes are known. */
class Dtype {
  readonly code: string;
  constructor(code: string) {
    this.code = code;
  }
}
class Tuple {
  readonly items: readonly Item[];
  constructor(items: readonly Item[]) {
    this.items = items;
  }
}
class List {
  readonly items: Item[] = [];
}
class Table {
  readonly items = new Map<string, Item>();
}
const mark = Symbol('mark');
type Item =
  null | boolean | number | string | Uint8Array | Name | ArrayShell | Dtype | Tuple | List | Table | typeof mark;

const reconstruct = ['numpy.core.multiarray._reconstruct', 'numpy._core.multiarray._reconstruct'];
const knownNames = new Set([
  ...reconstruct,
  'numpy.ndarray',
  'numpy.dtype',
  '_codecs.encode',
  'numpy.core.multiarray.ndarray',
]);

/**
 * Reads one batch file.
 * @param name what to call it in messages
 * @throws UserError `batchInvalid`
 */
export function readPythonBatch(bytes: Uint8Array, name: string): BatchTable {
  if (bytes.length > limits.bytes) throw invalid(name, 'it is too large');
  let value: Item;
  try {
    value = new BatchReader(bytes, name).read();
  } catch (error) {
    if (error instanceof RangeError) throw invalid(name, 'it ends too early or states an impossible size', error);
    throw error;
  }
  const plain = plainOf(value, name, 0);
  if (!(plain instanceof Map)) throw invalid(name, 'it holds no dictionary');
  return plain;
}

class BatchReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #name: string;
  readonly #stack: Item[] = [];
  readonly #memo = new Map<number, Item>();
  #at = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  read(): Item {
    for (let count = 0; count < limits.opcodes; count++) {
      const opcode = String.fromCharCode(this.#view.getUint8(this.#at++));
      if (opcode === '.') return this.#pop();
      this.#step(opcode);
    }
    throw this.#wrong('it has too many parts');
  }

  #step(opcode: string): void {
    switch (opcode) {
      case '\x80':
        if (this.#u8() > 5) throw this.#wrong('its pickle protocol is not known');
        return;
      case '\x95': // FRAME: only says how long the next part is.
        this.#take(8);
        return;
      case '(':
        if (this.#stack.filter((item) => item === mark).length >= limits.depth)
          throw this.#wrong('it is nested too deep');
        return this.#push(mark);
      case 'N':
        return this.#push(null);
      case '\x88':
        return this.#push(true);
      case '\x89':
        return this.#push(false);
      case 'K':
        return this.#push(this.#u8());
      case 'M':
        return this.#push(this.#u8() | (this.#u8() << 8));
      case 'J':
        this.#at += 4;
        return this.#push(this.#view.getInt32(this.#at - 4, true));
      case 'I':
        return this.#push(this.#integer(this.#line()));
      case '\x8a':
        return this.#push(this.#long());
      case 'G':
        this.#at += 8;
        return this.#push(this.#view.getFloat64(this.#at - 8, false));
      case 'U': // Texts of Python 2 may be bytes: what they are shows where they are used.
      case 'C':
        return this.#push(this.#take(this.#u8()));
      case 'T':
      case 'B':
        return this.#push(this.#take(this.#u32()));
      case 'X':
        return this.#push(this.#text(this.#u32()));
      case '\x8c':
        return this.#push(this.#text(this.#u8()));
      case ')':
        return this.#push(new Tuple([]));
      case '\x85':
      case '\x86':
      case '\x87': {
        const count = opcode.charCodeAt(0) - 0x84;
        const items = Array.from({ length: count }, () => this.#pop()).reverse();
        return this.#push(new Tuple(items));
      }
      case 't':
        return this.#push(new Tuple(this.#toMark()));
      case ']':
        return this.#push(new List());
      case 'l': {
        const list = new List();
        list.items.push(...this.#toMark());
        return this.#push(list);
      }
      case 'a': {
        const item = this.#pop();
        this.#list().items.push(item);
        return;
      }
      case 'e': {
        const items = this.#toMark();
        const list = this.#list();
        for (const item of items) list.items.push(item);
        return;
      }
      case '}':
        return this.#push(new Table());
      case 's': {
        const value = this.#pop();
        const key = this.#pop();
        return this.#set([key, value]);
      }
      case 'u':
        return this.#set(this.#toMark());
      case 'c':
        return this.#push(this.#global(this.#line(), this.#line()));
      case '\x93': {
        const attribute = this.#pop();
        const module = this.#pop();
        return this.#push(this.#global(textOf(module) ?? '?', textOf(attribute) ?? '?'));
      }
      case 'R':
        return this.#reduce();
      case 'b':
        return this.#build();
      case 'q':
        return this.#remember(this.#u8());
      case 'r':
        return this.#remember(this.#u32());
      case '\x94':
        return this.#remember(this.#memo.size);
      case 'h':
        return this.#recall(this.#u8());
      case 'j':
        return this.#recall(this.#u32());
      default:
        throw this.#wrong(`it uses opcode 0x${opcode.charCodeAt(0).toString(16)}, which no batch of pictures needs`);
    }
  }

  #global(module: string, attribute: string): Name {
    const name = `${module}.${attribute}`;
    if (!knownNames.has(name)) throw this.#wrong(`it asks for "${name}", which no batch of pictures needs`);
    return new Name(name);
  }

  /** The calls that numpy arrays are written with, carried out here. */
  #reduce(): void {
    const given = this.#pop();
    const callee = this.#pop();
    if (!(callee instanceof Name) || !(given instanceof Tuple)) throw this.#wrong('it calls something unknown');
    const [first, second] = given.items;
    if (reconstruct.includes(callee.name)) return this.#push(new ArrayShell());
    if (callee.name === 'numpy.dtype') return this.#push(new Dtype(textOf(first) ?? '?'));
    if (callee.name === '_codecs.encode' && typeof first === 'string' && textOf(second) === 'latin1') {
      return this.#push(new Uint8Array(Buffer.from(first, 'latin1')));
    }
    throw this.#wrong(`it calls "${callee.name}" in an unknown way`);
  }

  #build(): void {
    const state = this.#pop();
    const target = this.#stack.at(-1);
    if (target instanceof Dtype) return;
    if (!(target instanceof ArrayShell) || !(state instanceof Tuple)) throw this.#wrong('it builds something unknown');
    // (version, shape, dtype, is Fortran, bytes)
    const [, shape, dtype, fortran, data] = state.items;
    if (!(dtype instanceof Dtype) || !['u1', '|u1'].includes(dtype.code)) {
      throw this.#wrong('an array holds other numbers than bytes');
    }
    const sizes = shape instanceof Tuple ? shape.items : [];
    const count = sizes.reduce<number>((product, size) => product * (typeof size === 'number' ? size : Number.NaN), 1);
    if (!(data instanceof Uint8Array) || count !== data.length || (fortran !== false && fortran !== 0)) {
      throw this.#wrong('an array has another size than it states');
    }
    target.value = { shape: sizes as number[], data };
  }

  #set(pairs: readonly Item[]): void {
    const table = this.#stack.at(-1);
    if (!(table instanceof Table) || pairs.length % 2 !== 0) throw this.#wrong('its parts do not fit together');
    for (let i = 0; i < pairs.length; i += 2) {
      const key = textOf(pairs[i]);
      if (key === undefined) throw this.#wrong('a dictionary has a key that is no text');
      table.items.set(key, pairs[i + 1]!);
    }
  }

  #list(): List {
    const list = this.#stack.at(-1);
    if (!(list instanceof List)) throw this.#wrong('its parts do not fit together');
    return list;
  }

  #remember(index: number): void {
    if (this.#memo.size >= limits.memo) throw this.#wrong('it has too many parts');
    const item = this.#stack.at(-1);
    if (item === undefined || item === mark) throw this.#wrong('its parts do not fit together');
    this.#memo.set(index, item);
  }

  #recall(index: number): void {
    const item = this.#memo.get(index);
    if (item === undefined) throw this.#wrong('its parts do not fit together');
    this.#push(item);
  }

  #push(item: Item): void {
    this.#stack.push(item);
  }

  #pop(): Item {
    const item = this.#stack.pop();
    if (item === undefined || item === mark) throw this.#wrong('its parts do not fit together');
    return item;
  }

  #toMark(): Item[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at < 0) throw this.#wrong('its parts do not fit together');
    const items = this.#stack.splice(at);
    return items.slice(1);
  }

  #u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  #u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  /** A long of up to six bytes; no batch has larger ones. */
  #long(): number {
    const bytes = this.#take(this.#u8());
    if (bytes.length > 6) throw this.#wrong('a number is too large');
    const value = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
    return bytes.length > 0 && bytes.at(-1)! >= 128 ? value - 256 ** bytes.length : value;
  }

  #integer(line: string): number | boolean {
    if (line === '00' || line === '01') return line === '01';
    const value = Number(line);
    if (!Number.isSafeInteger(value)) throw this.#wrong('a number is too large');
    return value;
  }

  #line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    if (end < 0 || end - this.#at > 200) throw this.#wrong('a line is too long');
    const text = Buffer.from(this.#take(end - this.#at)).toString('latin1');
    this.#at++;
    return text;
  }

  #text(length: number): string {
    return Buffer.from(this.#take(length)).toString('utf8');
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('past the end');
    const piece = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return piece;
  }

  #wrong(what: string): UserError {
    return invalid(this.#name, what);
  }
}

function plainOf(item: Item, name: string, depth: number): BatchValue {
  if (depth > limits.depth) throw invalid(name, 'it is nested too deep');
  if (item instanceof ArrayShell) {
    if (item.value === undefined) throw invalid(name, 'an array has no content');
    return item.value;
  }
  if (item instanceof Table) {
    return new Map([...item.items].map(([key, value]) => [key, plainOf(value, name, depth + 1)]));
  }
  if (item instanceof List || item instanceof Tuple) return item.items.map((value) => plainOf(value, name, depth + 1));
  if (item instanceof Name || item instanceof Dtype || item === mark) throw invalid(name, 'it holds no data');
  return item as null | boolean | number | string | Uint8Array;
}

/** Texts come as bytes from Python 2 and as texts from Python 3. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : undefined;
}

function invalid(name: string, what: string, cause?: unknown): UserError {
  return new UserError(
    'batchInvalid',
    `"${name}" is no batch of pictures that can be read: ${what}.`,
    'Download it again, or use the binary version of the set.',
    { cause },
  );
}
