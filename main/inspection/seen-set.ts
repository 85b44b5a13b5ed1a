import { createHash } from 'node:crypto';

const headBytes = 8;
const keyBytes = 16;

/**
 * A set of strings that keeps 128 bits of each one's sha256 and nothing else: 16 bytes a string over the table's load,
 * so that a folder of millions of pictures fits. Two strings can be mistaken for each other only if half of their
 * sha256 agrees.
 */
export class SeenSet {
  #slots = new Uint32Array(4 * 1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(text: string): boolean {
    const key = keyOf(text);
    return isTaken(this.#slots, find(this.#slots, key));
  }

  /** @returns whether the string is new */
  add(text: string): boolean {
    return this.#addKey(keyOf(text));
  }

  #addKey(key: Uint32Array): boolean {
    const at = find(this.#slots, key);
    if (isTaken(this.#slots, at)) return false;
    this.#slots.set(key, at);
    this.#size += 1;
    if (3 * this.#size > 2 * (this.#slots.length / 4)) this.#grow();
    return true;
  }

  /** Number of strings (8 bytes, little-endian), then 16 bytes for each: what `addBytes` reads. */
  toBytes(): Buffer {
    const bytes = Buffer.alloc(headBytes + keyBytes * this.#size);
    bytes.writeBigUInt64LE(BigInt(this.#size));
    let to = headBytes;
    for (let at = 0; at < this.#slots.length; at += 4) {
      if (!isTaken(this.#slots, at)) continue;
      for (let i = 0; i < 4; i++) bytes.writeUInt32LE(this.#slots[at + i]!, to + 4 * i);
      to += keyBytes;
    }
    return bytes;
  }

  /**
   * Adds what `toBytes` wrote.
   * @returns how many bytes of `bytes` it took
   */
  addBytes(bytes: Buffer): number {
    const size = Number(bytes.readBigUInt64LE());
    const key = new Uint32Array(4);
    for (let n = 0; n < size; n++) {
      for (let i = 0; i < 4; i++) key[i] = bytes.readUInt32LE(headBytes + keyBytes * n + 4 * i);
      this.#addKey(key);
    }
    return headBytes + keyBytes * size;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 4) {
      if (!isTaken(old, at)) continue;
      const key = old.subarray(at, at + 4);
      this.#slots.set(key, find(this.#slots, key));
    }
  }
}

function keyOf(text: string): Uint32Array {
  const digest = createHash('sha256').update(text).digest();
  const key = new Uint32Array(4);
  for (let i = 0; i < 4; i++) key[i] = digest.readUInt32LE(4 * i);
  // All zeros marks a free slot.
  key[3] = key[3]! | 1;
  return key;
}

/** Slot that holds the key, or the free one where it belongs. */
function find(slots: Uint32Array, key: Uint32Array): number {
  const mask = slots.length / 4 - 1;
  for (let slot = key[0]! & mask; ; slot = (slot + 1) & mask) {
    const at = 4 * slot;
    if (!isTaken(slots, at)) return at;
    if (slots[at] === key[0] && slots[at + 1] === key[1] && slots[at + 2] === key[2] && slots[at + 3] === key[3]) {
      return at;
    }
  }
}

function isTaken(slots: Uint32Array, at: number): boolean {
  return slots[at + 3] !== 0;
}
