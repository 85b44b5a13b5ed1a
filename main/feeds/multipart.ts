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
  let pending: Buffer = Buffer.alloc(0);
  let head: { contentType: string; length: number | undefined } | undefined;
  for await (const chunk of body) {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      if (head === undefined) {
        const end = endOfHead(pending, mark);
        if (end === undefined) {
          if (pending.length > mostHeadBytes + mark.length) throw new Error('the stream has no readable head');
          break;
        }
        head = end.head;
        pending = pending.subarray(end.at);
      }
      const length = head.length ?? lengthToMark(pending, mark);
      if ((length ?? pending.length) > mostBytes)
        throw new Error(`a picture is larger than ${String(mostBytes)} bytes`);
      if (length === undefined || pending.length < length) break;
      const bytes = new Uint8Array(pending.subarray(0, length));
      pending = pending.subarray(length);
      const { contentType } = head;
      head = undefined;
      if (bytes.length > 0) yield { contentType, bytes };
    }
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
function lengthToMark(pending: Buffer, mark: Buffer): number | undefined {
  const at = pending.indexOf(mark);
  if (at < 0) return undefined;
  if (at >= 2 && pending[at - 2] === 0x0d && pending[at - 1] === 0x0a) return at - 2;
  return at >= 1 && pending[at - 1] === 0x0a ? at - 1 : at;
}
