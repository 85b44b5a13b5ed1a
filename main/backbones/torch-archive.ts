/** Writes PyTorch's zip form of a state dict (`torch.save`, protocol 2), for tests and measurements of the reader. */
import type { MadeTensor } from './seeded-weights.ts';

const storageOf = { F32: 'FloatStorage', F16: 'HalfStorage', BF16: 'BFloat16Storage' } as const;
/** PyTorch aligns every storage to this. */
const alignment = 64;

/** Appends the opcodes of a pickle. */
class Pickler {
  readonly #bytes: number[] = [0x80, 2];

  raw(...bytes: number[]): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    this.#u32(0x58, bytes.length);
    return this.raw(...bytes);
  }

  count(value: number): this {
    if (value < 256) return this.raw(0x4b, value);
    return this.#u32(0x4a, value);
  }

  global(module: string, name: string): this {
    return this.raw(0x63, ...new TextEncoder().encode(`${module}\n${name}\n`));
  }

  tuple(values: readonly number[]): this {
    this.raw(0x28);
    for (const value of values) this.count(value);
    return this.raw(0x74);
  }

  finish(): Uint8Array {
    return Uint8Array.from([...this.#bytes, 0x2e]);
  }

  #u32(opcode: number, value: number): this {
    return this.raw(opcode, value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255);
  }
}

/** The pickle of `OrderedDict` name -> tensor, storages numbered in order. */
export function pickleStateDict(tensors: readonly Pick<MadeTensor, 'name' | 'shape' | 'dtype'>[]): Uint8Array {
  const out = new Pickler().global('collections', 'OrderedDict').raw(0x29, 0x52, 0x28);
  tensors.forEach(({ name, shape, dtype }, i) => {
    const count = shape.reduce((product, n) => product * n, 1);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, 1));
    out.text(name).global('torch._utils', '_rebuild_tensor_v2').raw(0x28);
    out.raw(0x28).text('storage').global('torch', storageOf[dtype]).text(String(i)).text('cpu').count(count).raw(0x74);
    out.raw(0x51).count(0).tuple(shape).tuple(strides);
    out.raw(0x89).global('collections', 'OrderedDict').raw(0x29, 0x52, 0x74, 0x52);
  });
  return out.raw(0x75).finish();
}

const crcTable = new Uint32Array(256).map((_, i) => {
  let value = i;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i += 1) crc = crcTable[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A zip header of 16-bit and 32-bit fields followed by text. */
function record(fields: readonly (readonly [2 | 4, number])[], tail: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0) + tail.length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  bytes.set(tail, at);
  return bytes;
}

/**
 * The archive in pieces: `<root>/data.pkl`, `<root>/byteorder`, one stored member per tensor, `<root>/version`. At most
 * 4 GB.
 */
export async function* writeTorchArchive(tensors: readonly MadeTensor[], root: string): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const members: [string, () => Uint8Array][] = [
    ['data.pkl', () => pickleStateDict(tensors)],
    ['byteorder', () => encoder.encode('little')],
    ...tensors.map(({ make }, i): [string, () => Uint8Array] => [`data/${i}`, make]),
    ['version', () => encoder.encode('3\n')],
  ];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, make] of members) {
    const content = await Promise.resolve(make());
    const label = encoder.encode(`${root}/${name}`);
    const start = at + 30 + label.length;
    const padding = (alignment - ((start + 4) % alignment)) % alignment;
    const extra = record(
      [
        [2, 0x4246],
        [2, padding],
      ],
      new Uint8Array(padding).fill(0x5a),
    );
    const size = content.length;
    const common: [2 | 4, number][] = [
      [2, 0],
      [2, 0],
      [2, 0],
      [2, 0],
      [4, crc32(content)],
      [4, size],
      [4, size],
    ];
    const tail = new Uint8Array([...label, ...extra]);
    yield record([[4, 0x04034b50], [2, 20], ...common, [2, label.length], [2, extra.length]], tail);
    yield content;
    directory.push(
      record(
        [
          [4, 0x02014b50],
          [2, 0],
          [2, 20],
          ...common,
          [2, label.length],
          [2, 0],
          [2, 0],
          [2, 0],
          [2, 0],
          [4, 0],
          [4, at],
        ],
        label,
      ),
    );
    at += 30 + tail.length + size;
  }
  const directoryBytes = directory.reduce((sum, entry) => sum + entry.length, 0);
  yield* directory;
  const count = members.length;
  yield record(
    [
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, count],
      [2, count],
      [4, directoryBytes],
      [4, at],
      [2, 0],
    ],
    new Uint8Array(0),
  );
}
