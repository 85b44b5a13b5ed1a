/** The file beside an ONNX model that holds its large constants ("external data"). */
import type { LazyBytes } from './protobuf.ts';

/** Constants from this size on go into the data file of a model that has one. */
const externalFromBytes = 1024;
/** Offsets in a data file: whole pages, so that ONNX Runtime can map them. */
const externalAlignment = 4096;

export class DataFile {
  readonly #location: string;
  readonly #stored: { offset: number; bytes: Uint8Array | LazyBytes }[] = [];
  #bytes = 0;

  /** @param location name of the file, as the model refers to it */
  constructor(location: string) {
    this.#location = location;
  }

  /** Size of the file so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Gives a constant a place in the file; undefined for a small one, which stays in the model. */
  place(bytes: Uint8Array | LazyBytes): { location: string; offset: number } | undefined {
    if (bytes.length < externalFromBytes && bytes instanceof Uint8Array) return undefined;
    const offset = Math.ceil(this.#bytes / externalAlignment) * externalAlignment;
    this.#stored.push({ offset, bytes });
    this.#bytes = offset + bytes.length;
    return { location: this.#location, offset };
  }

  /** The file in pieces: constants at their offsets, zeros between; lazy ones are made one at a time. */
  async *content(): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (const { offset, bytes } of this.#stored) {
      if (offset > at) yield new Uint8Array(offset - at);
      const content = bytes instanceof Uint8Array ? bytes : await bytes.load();
      if (content.length !== bytes.length) throw new Error(`${content.length} bytes instead of ${bytes.length}`);
      yield content;
      at = offset + content.length;
    }
  }
}
