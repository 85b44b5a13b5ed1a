/**
 * Restricted reader of the pickles inside PyTorch's weight files.
 *
 * A pickle is a program: its opcodes may import anything and call it. This reader knows only the opcodes that tensors,
 * tables, lists, tuples, numbers and texts need, and only the few names PyTorch's own tensors are written with. Whatever
 * else a file asks for is refused by name; nothing is ever imported, called or evaluated.
 */
import type { UserError } from '../../shared/errors.ts';
import {
  isCount,
  isCounts,
  isKind,
  PickleGlobal,
  pickleLimits,
  refused,
  type PickledStorage,
  type PickledTensor,
  type PickleValue,
} from './pickle-values.ts';

/** Names that only mark a type or are handled here; none is ever looked up anywhere. */
const storageTypes = ['Float', 'Half', 'BFloat16', 'Double', 'Long', 'Int', 'Short', 'Char', 'Byte', 'Bool'];
const knownGlobals = new Set([
  'collections.OrderedDict',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter',
  ...storageTypes.map((type) => `torch.${type}Storage`),
]);

const mark = Symbol('mark');
type StackItem = PickleValue | typeof mark;

/** Names of refused opcodes, for the message; the others are told by their number. */
const opcodeNames: Readonly<Record<number, string>> = {
  0x52: 'REDUCE',
  0x62: 'BUILD',
  0x69: 'INST',
  0x6f: 'OBJ',
  0x81: 'NEWOBJ',
  0x92: 'NEWOBJ_EX',
  0x82: 'EXT1',
  0x83: 'EXT2',
  0x84: 'EXT4',
  0x50: 'PERSID',
  0x97: 'NEXT_BUFFER',
  0x98: 'READONLY_BUFFER',
};

class PickleReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  readonly #stack: StackItem[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #at = 0;
  #marks = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  read(): PickleValue {
    for (let count = 0; count < pickleLimits.opcodes; count += 1) {
      const opcode = this.#byte();
      if (opcode === 0x2e) {
        const value = this.#pop();
        if (this.#stack.length > 0) throw this.#broken('it leaves values behind');
        if (this.#at !== this.#bytes.length) throw this.#broken('it goes on after its end');
        return value;
      }
      this.#step(opcode);
    }
    throw this.#broken(`it has more than ${pickleLimits.opcodes} steps`);
  }

  #broken(what: string): UserError {
    return refused(this.#name, `its table of tensors is damaged (${what})`);
  }

  #need(count: number): number {
    const from = this.#at;
    if (count > this.#bytes.length - from) throw this.#broken('it is cut off');
    this.#at += count;
    return from;
  }

  #byte(): number {
    return this.#bytes[this.#need(1)]!;
  }

  #u32(): number {
    return this.#view.getUint32(this.#need(4), true);
  }

  #text(length: number): string {
    if (length > pickleLimits.textBytes) throw this.#broken(`a text of ${length} bytes`);
    const from = this.#need(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#bytes.subarray(from, this.#at));
    } catch {
      throw this.#broken('a text is not UTF-8');
    }
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#broken('it is cut off');
    const text = this.#text(end - this.#at);
    this.#at = end + 1;
    return text;
  }

  #u64(): number {
    const value = this.#view.getBigUint64(this.#need(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#broken('a length beyond any file');
    return Number(value);
  }

  /** LONG1: little-endian two's complement of up to 8 bytes. */
  #long(): number {
    const length = this.#byte();
    if (length > 8) throw this.#broken(`a number of ${length} bytes`);
    const from = this.#need(length);
    let value = 0n;
    for (let i = 0; i < length; i += 1) value |= BigInt(this.#bytes[from + i]!) << BigInt(8 * i);
    return Number(BigInt.asIntN(8 * Math.max(1, length), value));
  }

  #push(value: PickleValue): void {
    this.#stack.push(value);
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === mark) throw this.#broken('a value is missing');
    return value;
  }

  /** Everything above the last mark, which goes. */
  #popMark(): PickleValue[] {
    const from = this.#stack.lastIndexOf(mark);
    if (from < 0) throw this.#broken('a mark is missing');
    const items = this.#stack.splice(from) as PickleValue[];
    items.shift();
    this.#marks -= 1;
    return items;
  }

  #top(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === mark) throw this.#broken('a value is missing');
    return value;
  }

  #remember(key: number): void {
    if (this.#memo.size >= pickleLimits.memo) throw this.#broken(`it remembers more than ${pickleLimits.memo} values`);
    this.#memo.set(key, this.#top());
  }

  #recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) throw this.#broken('it recalls what it never remembered');
    this.#push(value);
  }

  #step(opcode: number): void {
    switch (opcode) {
      case 0x80: {
        const protocol = this.#byte();
        if (protocol > 5) throw this.#broken(`protocol ${protocol}`);
        return;
      }
      case 0x95: // FRAME: only a hint for buffered reading.
        this.#need(8);
        return;
      case 0x28:
        this.#marks += 1;
        if (this.#marks > pickleLimits.depth) throw this.#broken(`nested deeper than ${pickleLimits.depth}`);
        this.#stack.push(mark);
        return;
      case 0x4e:
        return this.#push(null);
      case 0x88:
        return this.#push(true);
      case 0x89:
        return this.#push(false);
      case 0x4b:
        return this.#push(this.#byte());
      case 0x4d:
        return this.#push(this.#view.getUint16(this.#need(2), true));
      case 0x4a:
        return this.#push(this.#view.getInt32(this.#need(4), true));
      case 0x8a:
        return this.#push(this.#long());
      case 0x47:
        return this.#push(this.#view.getFloat64(this.#need(8), false));
      case 0x8c:
        return this.#push(this.#text(this.#byte()));
      case 0x58:
        return this.#push(this.#text(this.#u32()));
      case 0x8d:
        return this.#push(this.#text(this.#u64()));
      case 0x7d:
        return this.#push({ kind: 'table', items: new Map() });
      case 0x5d:
        return this.#push({ kind: 'list', items: [] });
      case 0x29:
        return this.#push({ kind: 'tuple', items: [] });
      case 0x74:
        return this.#push({ kind: 'tuple', items: this.#popMark() });
      case 0x85:
      case 0x86:
      case 0x87: {
        const items = Array.from({ length: opcode - 0x84 }, () => this.#pop()).reverse();
        return this.#push({ kind: 'tuple', items });
      }
      case 0x61:
        return this.#append([this.#pop()]);
      case 0x65:
        return this.#append(this.#popMark());
      case 0x73: {
        const value = this.#pop();
        return this.#set([this.#pop(), value]);
      }
      case 0x75:
        return this.#set(this.#popMark());
      case 0x71:
        return this.#remember(this.#byte());
      case 0x72:
        return this.#remember(this.#u32());
      case 0x94:
        return this.#remember(this.#memo.size);
      case 0x68:
        return this.#recall(this.#byte());
      case 0x6a:
        return this.#recall(this.#u32());
      case 0x63: {
        const module = this.#line();
        return this.#push(this.#global(module, this.#line()));
      }
      case 0x93: {
        const word = this.#pop();
        return this.#push(this.#global(this.#pop(), word));
      }
      case 0x51:
        return this.#push(this.#storage(this.#pop()));
      case 0x52: {
        const args = this.#pop();
        return this.#push(this.#rebuild(this.#pop(), args));
      }
      case 0x62:
        return this.#build();
      default: {
        const known = opcodeNames[opcode];
        const what = known ?? `0x${opcode.toString(16).padStart(2, '0')}`;
        throw refused(this.#name, `it has the pickle step ${what}, which no weight file needs`);
      }
    }
  }

  #append(values: readonly PickleValue[]): void {
    const list = this.#top();
    if (!isKind(list, 'list')) throw this.#broken('it appends to what is no list');
    for (const value of values) list.items.push(value);
  }

  #set(pairs: readonly PickleValue[]): void {
    const table = this.#top();
    if (!isKind(table, 'table') || pairs.length % 2 !== 0) throw this.#broken('it sets entries of what is no table');
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i];
      if (typeof key !== 'string' && typeof key !== 'number') throw this.#broken('a table has an odd key');
      table.items.set(key, pairs[i + 1]!);
    }
  }

  #global(module: PickleValue, word: PickleValue): PickleGlobal {
    if (typeof module !== 'string' || typeof word !== 'string') throw this.#broken('a name is no text');
    const name = `${module}.${word}`;
    if (!knownGlobals.has(name)) {
      throw refused(
        this.#name,
        `it asks for ${JSON.stringify(name.slice(0, 120))}, which no plain weight file needs; nothing of it was run`,
        'A file like that may be a training checkpoint, or an attack. Use the published weight file.',
      );
    }
    return new PickleGlobal(name);
  }

  /** Persistent id: `('storage', type, key, device, size)`. */
  #storage(id: PickleValue): PickledStorage {
    const [word, type, key, , size] = isKind(id, 'tuple') ? id.items : [];
    const isStorage = word === 'storage' && type instanceof PickleGlobal && type.name.endsWith('Storage');
    if (!isStorage || typeof key !== 'string' || !/^\w{1,32}$/.test(key) || !isCount(size)) {
      throw this.#broken('a storage is described oddly');
    }
    return { kind: 'storage', type: type.name.slice('torch.'.length), key, size };
  }

  /** The three calls that weight files have; each has one meaning here. */
  #rebuild(callee: PickleValue, args: PickleValue): PickleValue {
    if (!(callee instanceof PickleGlobal) || !isKind(args, 'tuple')) throw this.#broken('an odd call');
    const { items } = args;
    if (callee.name === 'collections.OrderedDict' && items.length === 0) return { kind: 'table', items: new Map() };
    if (callee.name === 'torch._utils._rebuild_parameter' && isKind(items[0], 'tensor')) return items[0];
    if (callee.name === 'torch._utils._rebuild_tensor_v2') return this.#tensor(items);
    throw this.#broken(`an odd call of ${callee.name}`);
  }

  #tensor([storage, offset, shape, strides]: readonly (PickleValue | undefined)[]): PickledTensor {
    if (!isKind(storage, 'storage') || !isCount(offset) || !isCounts(shape) || !isCounts(strides)) {
      throw this.#broken('a tensor is described oddly');
    }
    const sizes = shape.items as readonly number[];
    const steps = strides.items as readonly number[];
    if (sizes.length > 8 || sizes.length !== steps.length) throw this.#broken('a tensor has an impossible shape');
    const isEmpty = sizes.includes(0);
    const last = sizes.reduce((sum, size, axis) => sum + (size - 1) * steps[axis]!, offset);
    const count = sizes.reduce((product, size) => product * size, 1);
    // A tensor repeated by strides of 0 would unpack to more than the file holds.
    if (!isEmpty && (last >= storage.size || count > storage.size)) {
      throw this.#broken('a tensor lies outside its storage');
    }
    const { type: storageType, key: storageKey, size: storageSize } = storage;
    return { kind: 'tensor', storageType, storageKey, storageSize, offset, shape: sizes, strides: steps };
  }

  /** State dicts carry their versions as an attribute; it says nothing about weights and is dropped. */
  #build(): void {
    const state = this.#pop();
    if (!isKind(state, 'table') || !isKind(this.#top(), 'table')) {
      throw refused(this.#name, 'it has the pickle step BUILD on an object, which no weight file needs');
    }
  }
}

/**
 * Reads one pickle.
 * @param name what to call the file in messages
 * @throws UserError `torchFileInvalid`, naming whatever the reader refuses
 */
export function readPickle(bytes: Uint8Array, name: string): PickleValue {
  if (bytes.length > pickleLimits.bytes) throw refused(name, `its table of tensors has ${bytes.length} bytes`);
  return new PickleReader(bytes, name).read();
}
