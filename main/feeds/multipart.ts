/** One part of a multipart stream. */
export interface StreamPart {
  contentType: string;
  bytes: Uint8Array;
}

/** Longest head of a part; a camera's has two or three lines. */
const mostHeadBytes = 4096;

/** The boundary that a `multipart/...` content type names; undefined for any other type. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^multipart\//i.test(contentType.trim())) return undefined;
  const match = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType);
  // Some cameras write the leading dashes into the name, others don't.
  return (match?.[1] ?? match?.[2])?.replace(/^--/, '');
}

/**
 * Reads a multipart stream part by part, by content length where it's given, else up to the next boundary.
 * @throws Error when a head or a part is larger than allowed, or the stream is no multipart stream
 */
export async function* readMultipart(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
  mostBytes: number,
): AsyncGenerator<StreamPart> {
  const mark = Buffer.from(`--${boundary}`, 'latin1');
  const inbox = new Inbox();
  let head: { contentType: string; length: number | undefined } | undefined;
  /** So far a part without a length holds no boundary. */
  let searched = 0;
  for await (const chunk of body) {
    inbox.push(chunk);
    for (;;) {
      const pending = inbox.bytes;
      if (head === undefined) {
        const end = endOfHead(pending, mark);
        if (end === undefined) {
          if (pending.length > mostHeadBytes + mark.length) throw new Error('the stream has no readable head');
          break;
        }
        head = end.head;
        searched = 0;
        inbox.take(end.at);
        continue;
      }
      const length = head.length ?? lengthToMark(pending, mark, searched);
      searched = Math.max(0, pending.length - mark.length - 2);
      if ((length ?? pending.length) > mostBytes)
        throw new Error(`a picture is larger than ${String(mostBytes)} bytes`);
      if (length === undefined || pending.length < length) break;
      const bytes = new Uint8Array(pending.subarray(0, length));
      inbox.take(length);
      const { contentType } = head;
      head = undefined;
      if (bytes.length > 0) yield { contentType, bytes };
    }
  }
}

/** Bytes that came and are not taken yet. Its room doubles: a large picture isn't copied anew with every chunk. */
class Inbox {
  #room = Buffer.alloc(1 << 16);
  #from = 0;
  #to = 0;

  get bytes(): Buffer {
    return this.#room.subarray(this.#from, this.#to);
  }

  push(chunk: Uint8Array): void {
    if (this.#to + chunk.length > this.#room.length) {
      const needed = 2 * (this.#to - this.#from + chunk.length);
      const room = needed > this.#room.length ? Buffer.alloc(needed) : this.#room;
      this.#room.copy(room, 0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
      this.#room = room;
    }
    this.#room.set(chunk, this.#to);
    this.#to += chunk.length;
  }

  take(bytes: number): void {
    this.#from += bytes;
  }
}

function endOfHead(
  pending: Buffer,
  mark: Buffer,
): { at: number; head: { contentType: string; length: number | undefined } } | undefined {
  const start = pending.indexOf(mark);
  if (start < 0) return undefined;
  const wide = pending.indexOf('\r\n\r\n', start, 'latin1');
  const narrow = pending.indexOf('\n\n', start, 'latin1');
  const isWide = wide >= 0 && (narrow < 0 || wide < narrow);
  const end = isWide ? wide : narrow;
  if (end < 0) return undefined;
  const text = pending.toString('latin1', start, end);
  const length = /^content-length:\s*(\d{1,12})\s*$/im.exec(text)?.[1];
  return {
    at: end + (isWide ? 4 : 2),
    head: {
      contentType: /^content-type:\s*(.+?)\s*$/im.exec(text)?.[1] ?? '',
      length: length === undefined ? undefined : Number(length),
    },
  };
}

/** Bytes before the next boundary, without the line break that belongs to it. */
function lengthToMark(pending: Buffer, mark: Buffer, from: number): number | undefined {
  const at = pending.indexOf(mark, from);
  if (at < 0) return undefined;
  if (at >= 2 && pending[at - 2] === 0x0d && pending[at - 1] === 0x0a) return at - 2;
  return at >= 1 && pending[at - 1] === 0x0a ? at - 1 : at;
}
