/**
 * The part of the protobuf wire format that ONNX needs: varints, 32-bit floats and length-delimited fields.
 * Large byte fields are kept by reference until `finish`, so weights are copied exactly once.
 */

const wireVarint = 0;
const wireBytes = 2;
const wire32 = 5;

/** Byte fields at least this long are kept by reference; shorter ones are cheaper to inline. */
const inlineLimitBytes = 256;

const encoder = new TextEncoder();

/** Bytes that are made only when they are written, for weights that should never be in memory all at once. */
export interface LazyBytes {
  readonly length: number;
  /** @returns exactly `length` bytes */
  readonly load: () => Promise<Uint8Array>;
}

export class ProtoWriter {
  readonly #parts: (Uint8Array | LazyBytes)[] = [];
  #pending: number[] = [];
  #flushedLength = 0;

  /** Number of bytes written so far. */
  get length(): number {
    return this.#flushedLength + this.#pending.length;
  }

  /** Writes an int64 / enum / bool field. Negative numbers take ten bytes, as protobuf wants. */
  int(field: number, value: number | bigint): void {
    this.#tag(field, wireVarint);
    this.#varint(value);
  }

  /** Writes a 32-bit float field. */
  float(field: number, value: number): void {
    this.#tag(field, wire32);
    this.#float32(value);
  }

  /** Writes a UTF-8 string field. */
  string(field: number, value: string): void {
    this.bytes(field, encoder.encode(value));
  }

  /** Writes a bytes field. Long data is referenced, not copied: it must not change before `finish`. */
  bytes(field: number, data: Uint8Array): void {
    this.#tag(field, wireBytes);
    this.#varint(data.length);
    this.#append(data);
  }

  /** Writes a bytes field whose content is made while {@link chunks} runs. */
  lazyBytes(field: number, data: LazyBytes): void {
    this.#tag(field, wireBytes);
    this.#varint(data.length);
    this.#flush();
    this.#parts.push(data);
    this.#flushedLength += data.length;
  }

  /** Writes a packed repeated int64 field. */
  packedInts(field: number, values: readonly (number | bigint)[]): void {
    const inner = new ProtoWriter();
    for (const value of values) inner.#varint(value);
    this.message(field, inner);
  }

  /** Writes a packed repeated float field. */
  packedFloats(field: number, values: readonly number[]): void {
    const inner = new ProtoWriter();
    for (const value of values) inner.#float32(value);
    this.message(field, inner);
  }

  /** Writes a nested message; `inner` must not be used afterwards. */
  message(field: number, inner: ProtoWriter): void {
    this.#tag(field, wireBytes);
    this.#varint(inner.length);
    for (const part of inner.#parts) {
      if (part instanceof Uint8Array) this.#append(part);
      else {
        this.#flush();
        this.#parts.push(part);
        this.#flushedLength += part.length;
      }
    }
    for (const byte of inner.#pending) this.#pending.push(byte);
  }

  /**
   * The message as one buffer: the only copy that large fields ever see.
   *
   * @throws Error if a field's content is yet to be made, see {@link chunks}
   */
  finish(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      if (!(part instanceof Uint8Array)) throw new Error('a lazy field can only be written in pieces');
      out.set(part, at);
      at += part.length;
    }
    out.set(this.#pending, at);
    return out;
  }

  /** The message in pieces, in order; lazy content is made one field at a time. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (const part of this.#parts) {
      if (part instanceof Uint8Array) {
        yield part;
        continue;
      }
      const bytes = await part.load();
      if (bytes.length !== part.length) throw new Error(`${bytes.length} bytes where ${part.length} were announced`);
      yield bytes;
    }
    if (this.#pending.length > 0) yield Uint8Array.from(this.#pending);
  }

  #append(data: Uint8Array): void {
    if (data.length < inlineLimitBytes) {
      for (const byte of data) this.#pending.push(byte);
      return;
    }
    this.#flush();
    this.#parts.push(data);
    this.#flushedLength += data.length;
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    this.#parts.push(Uint8Array.from(this.#pending));
    this.#flushedLength += this.#pending.length;
    this.#pending = [];
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  #float32(value: number): void {
    this.#pending.push(...new Uint8Array(Float32Array.of(value).buffer));
  }

  #varint(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value < 2 ** 31) {
      let rest = value;
      while (rest > 127) {
        this.#pending.push((rest & 127) | 128);
        rest >>>= 7;
      }
      this.#pending.push(rest);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.#pending.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    this.#pending.push(Number(rest));
  }
}
