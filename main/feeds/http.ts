import { randomUUID } from 'node:crypto';
import type { FeedSource } from '../../shared/station/domain.ts';
import { pauseUntil, type FedPart, type FeedOptions } from './feed.ts';
import { boundaryOf, readMultipart } from './multipart.ts';

type HttpSource = Extract<FeedSource, { kind: 'http' }>;

export interface HttpLimits {
  /** Without a byte for this long the camera counts as lost. */
  silenceMs: number;
  /** Without a whole picture for this long, too: bytes that drip in make none. */
  pictureMs: number;
  /** Largest picture. */
  mostBytes: number;
  /** Wait before the first new attempt; doubles up to the longest. */
  firstRetryMs: number;
  longestRetryMs: number;
}

const usualLimits: HttpLimits = {
  silenceMs: 10_000,
  pictureMs: 30_000,
  mostBytes: 64 * 2 ** 20,
  firstRetryMs: 500,
  longestRetryMs: 15_000,
};

/** A picture as the camera sent it. */
interface Snapshot {
  bytes: Uint8Array;
  extension: string;
}

/**
 * Pictures of a network camera: an address that answers with one picture is asked again at the interval; from one that
 * answers with a stream (multipart/x-mixed-replace, "MJPEG") a picture is taken at the interval, the frames between are
 * skipped and counted. Only the address that a person gave is talked to: redirections are refused.
 */
export async function* httpFeed(
  source: HttpSource,
  options: FeedOptions,
  limits: Partial<HttpLimits> = {},
): AsyncGenerator<FedPart> {
  const { signal, onNews } = options;
  const rules = { ...usualLimits, ...limits };
  const run = randomUUID();
  const shown = shownAddress(source.url);
  let count = 0;
  let failures = 0;
  while (!signal.aborted) {
    try {
      for await (const { bytes, extension } of pictures(source, options, rules)) {
        if (failures > 0) onNews({ type: 'back' });
        failures = 0;
        count += 1;
        const file = `${shown} #${String(count)}`;
        yield {
          file,
          path: file,
          recordKey: `http:${run}:${String(count)}`,
          content: { bytes, extension },
          serial: null,
          lot: options.lot(),
          className: null,
        };
      }
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      if (failures === 1) {
        const why = reasonOf(error);
        const message = `The camera at ${shown} gives no picture: parts that pass it are not judged (${why}).`;
        const remedy = why.includes(' 401 ')
          ? 'Put the name and the password into the address; a camera that takes them as "digest" only is not supported.'
          : 'Check its power, its cable and the address.';
        onNews({ type: 'lost', message, remedy });
      }
      await pauseUntil(Math.min(rules.longestRetryMs, rules.firstRetryMs * 2 ** (failures - 1)), signal);
    }
  }
}

/** Name and password that may be in the address don't go into records. */
function shownAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

async function* pictures(source: HttpSource, options: FeedOptions, limits: HttpLimits): AsyncGenerator<Snapshot> {
  const { signal } = options;
  let dueMs = performance.now();
  while (!signal.aborted) {
    await pauseUntil(dueMs - performance.now(), signal);
    if (signal.aborted) return;
    dueMs = Math.max(dueMs, performance.now()) + source.intervalMs;
    const watchdog = new Watchdog(limits, signal);
    try {
      const response = await request(source.url, watchdog.signal);
      watchdog.feed();
      const type = response.headers.get('content-type') ?? '';
      const boundary = boundaryOf(type);
      if (boundary === undefined && !mayBePicture(type)) {
        await response.body?.cancel();
        throw new Error(`it answered with ${type.split(';')[0]!.slice(0, 60)}, which is no picture`);
      }
      const body = guarded(response, watchdog);
      if (boundary === undefined) {
        yield { bytes: await readAll(body, limits.mostBytes), extension: extensionOf(type) };
        continue;
      }
      let nextMs = 0;
      for await (const part of readMultipart(body, boundary, limits.mostBytes)) {
        // What lies in the buffer after the end was asked for is no part any more.
        if (signal.aborted) return;
        const now = performance.now();
        watchdog.whole();
        if (now < nextMs) {
          options.onNews({ type: 'skipped', frames: 1 });
          continue;
        }
        // The beat is kept; after a gap it begins anew, or two pictures would be taken one right after the other.
        nextMs = nextMs + source.intervalMs > now ? nextMs + source.intervalMs : now + source.intervalMs;
        watchdog.rest();
        yield { bytes: part.bytes, extension: extensionOf(part.contentType) };
        watchdog.whole();
      }
      throw new Error('the stream ended');
    } finally {
      watchdog.end();
    }
  }
}

async function request(url: string, signal: AbortSignal): Promise<Response> {
  const { protocol, username, password } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') throw new Error(`${protocol} is not an address of a camera`);
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  const login = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64');
  const response = await fetch(plain, {
    signal,
    redirect: 'manual',
    headers: {
      accept: 'image/*, multipart/x-mixed-replace',
      ...(username !== '' && { authorization: `Basic ${login}` }),
    },
  });
  if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
    await response.body?.cancel();
    throw new Error('it sends to another address');
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`it answered ${String(response.status)} ${response.statusText}`);
  }
  return response;
}

/** What is no escape sequence stands for itself: a password may hold a per cent sign. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function* guarded(response: Response, watchdog: Watchdog): AsyncGenerator<Uint8Array> {
  if (response.body === null) throw new Error('it answered with nothing');
  for await (const chunk of response.body) {
    watchdog.feed();
    yield chunk as Uint8Array;
  }
}

async function readAll(body: AsyncIterable<Uint8Array>, mostBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > mostBytes) throw new Error(`the picture is larger than ${String(mostBytes)} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) throw new Error('it answered with nothing');
  return Buffer.concat(chunks);
}

/** Aborts a request when nothing is heard for too long, or no whole picture. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly #limits: HttpLimits;
  readonly #outer: AbortSignal;
  #silence: NodeJS.Timeout | undefined;
  #picture: NodeJS.Timeout | undefined;

  constructor(limits: HttpLimits, outer: AbortSignal) {
    this.#limits = limits;
    this.#outer = outer;
    outer.addEventListener('abort', this.#abort);
    this.whole();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly #abort = (): void => this.#controller.abort(new Error('stopped'));

  #in(ms: number, what: string): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(new Error(`${what} for ${String(ms)} ms`)), ms);
  }

  /** Something came. */
  feed(): void {
    clearTimeout(this.#silence);
    this.#silence = this.#in(this.#limits.silenceMs, 'nothing came');
  }

  /** A picture came, or the line asks for the next one. */
  whole(): void {
    this.feed();
    clearTimeout(this.#picture);
    this.#picture = this.#in(this.#limits.pictureMs, 'no whole picture came');
  }

  /** While the line is taking its time, the camera is not to blame. */
  rest(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#picture);
  }

  end(): void {
    this.rest();
    this.#outer.removeEventListener('abort', this.#abort);
    this.#abort();
  }
}

/** Cameras that name no type, or none that says anything, are believed; a page with a login is no picture. */
function mayBePicture(contentType: string): boolean {
  return !/^(text|application\/(json|xml|xhtml|javascript))/i.test(contentType.trim());
}

function extensionOf(contentType: string): string {
  const kind = /^image\/([a-z]+)/i.exec(contentType.trim())?.[1]?.toLowerCase();
  return kind === 'png' || kind === 'bmp' || kind === 'webp' ? kind : kind === 'tiff' ? 'tif' : 'jpg';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
