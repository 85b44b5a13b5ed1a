/** Walks the fields of a protobuf message without copying. Every read is checked against the message's end. */
export class ProtoReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;
  /** Number of the current field, after `next` returned true. */
  field = 0;
  #wire = 0;
  /** Whether the current field's value still has to be read. */
  #isPending = false;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Goes to the next field; false at the end of the message. The value before must have been read or skipped. */
  next(): boolean {
    if (this.#isPending) throw new Error('a field was left unread');
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.#wire = tag % 8;
    this.field = Math.floor(tag / 8);
    if (this.field === 0 || ![0, 1, 2, 5].includes(this.#wire)) throw new Error('a field is of no known kind');
    this.#isPending = true;
    return true;
  }

  /** A whole number; negative ones come as two's complement of 64 bits. */
  int(): number {
    this.#take(0);
    return this.#varint();
  }

  /** Whole numbers, one or packed, appended to `into`, which may have `most` at most. */
  ints(into: number[], most: number): void {
    if (this.#wire === 0) into.push(this.int());
    else {
      const end = this.#length();
      while (this.#at < end && into.length <= most) into.push(this.#varint());
    }
    if (into.length > most) throw new Error(`a list has more than ${most} numbers`);
  }

  string(mostBytes: number): string {
    const start = this.#at;
    const end = this.#length();
    if (end - this.#at > mostBytes) throw new Error(`a name at byte ${start} is longer than ${mostBytes} bytes`);
    const text = new TextDecoder().decode(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    return text;
  }

  /** The nested message; this reader goes on behind it. */
  message(): ProtoReader {
    const end = this.#length();
    const inner = new ProtoReader(this.#bytes, this.#at, end);
    this.#at = end;
    return inner;
  }

  /** Leaves the value out and returns how many bytes it has. */
  skip(): number {
    const start = this.#at;
    if (this.#wire === 0) this.int();
    else if (this.#wire === 2) {
      const end = this.#length();
      const size = end - this.#at;
      this.#at = end;
      return size;
    } else this.#advance(this.#wire === 1 ? 8 : 4);
    return this.#at - start;
  }

  #advance(size: number): void {
    this.#isPending = false;
    if (this.#at + size > this.#end) throw new Error('it ends too early');
    this.#at += size;
  }

  #take(wire: number): void {
    if (this.#wire !== wire) throw new Error(`field ${this.field} is of the wrong kind`);
    this.#isPending = false;
  }

  /** Reads the length of a length-delimited value and returns where it ends. */
  #length(): number {
    this.#take(2);
    const length = this.#varint();
    const end = this.#at + length;
    if (length < 0 || end > this.#end) throw new Error('it ends too early');
    return end;
  }

  #varint(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw new Error('it ends too early');
      const byte = this.#bytes[this.#at++]!;
      if (shift < 28) low += (byte & 127) * 2 ** shift;
      else high += (byte & 127) * 2 ** (shift - 28);
      if (byte < 128) {
        // The upper 36 of 64 bits; the sign is taken off before they are scaled, or small negatives lose their digits.
        const upper = high % 2 ** 36;
        return (upper >= 2 ** 35 ? upper - 2 ** 36 : upper) * 2 ** 28 + low;
      }
    }
    throw new Error('a number is longer than ten bytes');
  }
}
