import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import { writeError } from '../system/atomic-file.ts';
import { openConnection, proxyOf, type Answer, type Connection, type ConnectionOptions } from './fetch-connection.ts';
import { failureOf, TryAgain } from './fetch-failures.ts';

/** File calls of a download; tests hand in ones that fail. */
export type FetchFileSystem = Pick<typeof nodeFs, 'open' | 'rename' | 'rm' | 'writeFile' | 'statfs'>;

export interface FetchRequest extends ConnectionOptions {
  url: string;
  /** Unfinished content; stays after a break and is gone on from. Beside it `<partial>.json` says what it belongs to. */
  partial: string;
  /** Expected sha256, where somebody has pinned it. */
  sha256?: string;
  /** Expected size, where somebody has pinned it. */
  bytes?: number;
  /** Called once, before the content comes. */
  onStart?: (start: FetchStart) => void;
  /** @param total undefined when the server doesn't say */
  onProgress?: (done: number, total: number | undefined) => void;
  /** A break and what is done about it. */
  onNotice?: (message: string) => void;
  signal?: AbortSignal;
  limits?: Partial<FetchLimits>;
  fs?: FetchFileSystem;
}

export interface FetchStart {
  /** Host that the content comes from, after redirects. */
  host: string;
  proxy: string | null;
  totalBytes: number | undefined;
  /** Already here from an earlier try. */
  haveBytes: number;
}

/** When to lose patience. */
export interface FetchLimits {
  /** Breaks in a row without real progress. */
  retries: number;
  /** First wait after a break; doubles with each, up to 32 times. */
  backoffMs: number;
  /** A connection must bring `minBytes` in each such window. */
  windowMs: number;
  minBytes: number;
  /** With this much new content the count of breaks starts again. */
  progressBytes: number;
}

const defaultLimits: FetchLimits = {
  retries: 6,
  backoffMs: 1000,
  windowMs: 30_000,
  minBytes: 64 << 10,
  progressBytes: 1 << 20,
};

const stateSchema = z.object({
  url: z.string(),
  /** Strong ETag or Last-Modified: proof that the rest belongs to the same content. */
  validator: z.string().nullable(),
  total: z.int().positive().nullable(),
});
type PartialState = z.infer<typeof stateSchema>;

/**
 * Downloads a file into `partial` and syncs it: goes on where an earlier try broke off (Range with If-Range), retries
 * with growing waits, gives up on a trickle, compares size and sha256. What has come stays on the disk after any break;
 * content with the wrong sha256 is removed.
 *
 * @returns size, sha256 and the address it came from in the end
 * @throws UserError `fetchRefused`, `fetchMissing`, `fetchNotAFile`, `fetchSize`, `fetchChecksum`, `fetchFailed`,
 *   `certificateUnknown`, `hostUnknown`, `redirectElsewhere`, `diskFull`, ...; the signal's reason when aborted
 */
export async function fetchFile(request: FetchRequest): Promise<{ bytes: number; sha256: string; url: string }> {
  return new Download(request, await openConnection(request)).run();
}

class Download {
  readonly #request: FetchRequest;
  readonly #connection: Connection;
  readonly #url: URL;
  readonly #fs: FetchFileSystem;
  readonly #limits: FetchLimits;
  readonly #signal: AbortSignal;
  /** Of the bytes that are in the partial file. */
  #hash: Hash = createHash('sha256');
  #have = 0;
  #state: PartialState;
  #started = false;

  constructor(request: FetchRequest, connection: Connection) {
    this.#request = request;
    this.#connection = connection;
    this.#url = new URL(request.url);
    this.#fs = request.fs ?? nodeFs;
    this.#limits = { ...defaultLimits, ...request.limits };
    this.#signal = request.signal ?? new AbortController().signal;
    this.#state = { url: request.url, validator: null, total: null };
  }

  async run(): Promise<{ bytes: number; sha256: string; url: string }> {
    await this.#resumeState();
    let breaks = 0;
    for (;;) {
      const before = this.#have;
      try {
        const url = await this.#attempt();
        return { bytes: this.#have, sha256: await this.#finish(), url };
      } catch (error) {
        this.#signal.throwIfAborted();
        const failure = failureOf(error, this.#url);
        if (!(failure instanceof TryAgain)) throw failure;
        breaks = this.#have - before >= this.#limits.progressBytes ? 1 : breaks + 1;
        if (breaks > this.#limits.retries) throw this.#givenUp(failure);
        const pause = failure.afterMs ?? this.#limits.backoffMs * 2 ** Math.min(breaks - 1, 5);
        this.#request.onNotice?.(
          `${failure.message}; going on at ${megabytes(this.#have)} in ${Math.ceil(pause / 1000)} s ` +
            `(try ${breaks} of ${this.#limits.retries}).`,
        );
        await wait(pause, undefined, { signal: this.#signal }).catch(() => this.#signal.throwIfAborted());
      }
    }
  }

  /** Takes up what an earlier try left, when it belongs to this content. */
  async #resumeState(): Promise<void> {
    const { partial, url, sha256 } = this.#request;
    const size = await nodeFs.stat(partial).then(
      (found) => found.size,
      () => 0,
    );
    const text = await nodeFs.readFile(`${partial}.json`, 'utf8').catch(() => 'null');
    let state: PartialState | undefined;
    try {
      state = stateSchema.safeParse(JSON.parse(text)).data;
    } catch {
      // A torn state file: start over.
    }
    // A pinned checksum decides in the end; without it only the same address with the same version will do.
    const belongs = state !== undefined && (sha256 !== undefined || (state.url === url && state.validator !== null));
    if (size === 0 || !belongs || state === undefined) return;
    const stream = createReadStream(partial, { highWaterMark: 1 << 20, signal: this.#signal });
    for await (const chunk of stream) this.#hash.update(chunk as Buffer);
    this.#have = size;
    this.#state = state.url === url ? state : { url, validator: null, total: state.total };
  }

  /** One connection. @returns the address the content came from */
  async #attempt(): Promise<string> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#signal, stop.signal]);
    const { total, validator } = this.#state;
    const complete = total !== null && this.#have === total;
    const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'twinspect' };
    if (this.#have > 0 && !complete) {
      headers['range'] = `bytes=${this.#have}-`;
      if (validator !== null) headers['if-range'] = validator;
    }
    if (complete) return this.#url.href;
    const answer = await this.#connection.get(this.#url, headers, signal);
    try {
      if (!(await this.#begin(answer))) return answer.url.href;
      await this.#receive(answer, stop, signal);
      return answer.url.href;
    } finally {
      answer.body.destroy();
    }
  }

  /** Checks the answer's head. @returns false when nothing is missing any more */
  async #begin(answer: Answer): Promise<boolean> {
    const { status, header, url } = answer;
    const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(header('content-range') ?? '');
    if (status === 416) {
      if (range?.[3] === String(this.#have)) return false;
      await this.#restart();
      throw new TryAgain(`${url.host} has another version of the file now`);
    }
    if (status !== 200 && status !== 206) throw TryAgain.fromStatus(status, url, header('retry-after'));
    const type = header('content-type') ?? '';
    if (/^text\/html/i.test(type)) {
      throw new UserError(
        'fetchNotAFile',
        `${url.host} answered with a web page instead of the file.`,
        'Often that is the login page of a proxy: open the address in a browser, or use another source with --url.',
      );
    }
    if (!/^(identity)?$/i.test(header('content-encoding') ?? '')) {
      throw new UserError('fetchNotAFile', `${url.host} sends the file packed although it was asked not to.`);
    }
    let total: number | undefined;
    if (status === 206) {
      if (range?.[1] !== String(this.#have)) {
        await this.#restart();
        throw new TryAgain(`${url.host} answered with another part of the file than was asked for`);
      }
      total = range[3] === '*' ? undefined : Number(range[3]);
      if (total !== undefined && this.#state.total !== null && total !== this.#state.total) {
        await this.#restart();
        throw new TryAgain(`${url.host} has another version of the file now`);
      }
    } else {
      const length = header('content-length');
      total = length === undefined ? undefined : Number(length);
      if (this.#have > 0) {
        this.#request.onNotice?.(`${url.host} sends the file from its start again.`);
        await this.#restart();
      }
    }
    const expected = this.#request.bytes;
    if (expected !== undefined && total !== undefined && total !== expected) {
      throw new UserError(
        'fetchSize',
        `${url.host} offers a file of ${total} bytes; ${expected} are expected.`,
        'It is another file or version: use another source with --url.',
      );
    }
    const etag = header('etag');
    const validator = etag !== undefined && !etag.startsWith('W/') ? etag : (header('last-modified') ?? null);
    this.#state = { url: this.#request.url, validator, total: total ?? null };
    await this.#fs.writeFile(`${this.#request.partial}.json`, JSON.stringify(this.#state)).catch((error: unknown) => {
      throw this.#writeFailure(error);
    });
    await this.#checkSpace(total);
    if (!this.#started) {
      this.#started = true;
      this.#request.onStart?.({
        host: url.host,
        proxy: proxyOf(url)?.host ?? null,
        totalBytes: total,
        haveBytes: this.#have,
      });
    }
    return true;
  }

  async #receive(answer: Answer, stop: AbortController, signal: AbortSignal): Promise<void> {
    const { windowMs, minBytes } = this.#limits;
    const file = await this.#fs.open(this.#request.partial, this.#have === 0 ? 'w' : 'r+').catch((error: unknown) => {
      throw this.#writeFailure(error);
    });
    let seen = this.#have;
    const watch = setInterval(() => {
      if (this.#have - seen < minBytes) {
        stop.abort(new TryAgain(`${answer.url.host} brings less than ${minBytes} bytes in ${windowMs / 1000} s`));
      }
      seen = this.#have;
    }, windowMs);
    try {
      const total = this.#state.total;
      for await (const chunk of answer.body) {
        const piece = chunk as Buffer;
        if (total !== null && this.#have + piece.length > total) throw new TryAgain('More came than was announced');
        await file.write(piece, 0, piece.length, this.#have).catch((error: unknown) => {
          throw this.#writeFailure(error);
        });
        this.#hash.update(piece);
        this.#have += piece.length;
        this.#request.onProgress?.(this.#have, total ?? undefined);
      }
      signal.throwIfAborted();
      if (total !== null && this.#have < total) throw new TryAgain(`${answer.url.host} broke off`);
    } catch (error) {
      // The body's own error only says that it was aborted.
      if (stop.signal.aborted && !this.#signal.aborted) throw stop.signal.reason as TryAgain;
      throw error;
    } finally {
      clearInterval(watch);
      await file.sync().catch(() => undefined);
      await file.close();
    }
  }

  async #finish(): Promise<string> {
    const { partial, sha256: expected, bytes } = this.#request;
    const file = await this.#fs.open(partial, 'r+');
    try {
      await file.truncate(this.#have);
      await file.sync();
    } catch (error) {
      throw this.#writeFailure(error);
    } finally {
      await file.close();
    }
    const sha256 = this.#hash.digest('hex');
    if (this.#have === 0 || (expected !== undefined && sha256 !== expected) || (bytes ?? this.#have) !== this.#have) {
      await this.#remove();
      throw new UserError(
        'fetchChecksum',
        this.#have === 0
          ? `${this.#url.host} sent an empty file.`
          : `What came from ${this.#url.host} is not the expected file (${this.#have} bytes, sha256 ${sha256}` +
              `${expected === undefined ? '' : `, expected ${expected}`}); it was removed.`,
        'Try again; if it stays so, use another source with --url.',
      );
    }
    await this.#fs.rm(`${partial}.json`, { force: true });
    return sha256;
  }

  async #restart(): Promise<void> {
    this.#hash = createHash('sha256');
    this.#have = 0;
    this.#state = { url: this.#request.url, validator: null, total: null };
    await this.#remove();
  }

  async #remove(): Promise<void> {
    await this.#fs.rm(this.#request.partial, { force: true });
    await this.#fs.rm(`${this.#request.partial}.json`, { force: true });
  }

  async #checkSpace(total: number | undefined): Promise<void> {
    if (total === undefined) return;
    const folder = path.dirname(path.resolve(this.#request.partial));
    const free = await this.#fs.statfs(folder).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => Infinity,
    );
    if (total - this.#have <= free) return;
    throw new UserError(
      'diskFull',
      `${megabytes(total - this.#have)} are to come, but only ${megabytes(free)} are free in "${folder}".`,
      'Free some space, or choose another folder with --store.',
    );
  }

  #writeFailure(error: unknown): unknown {
    const said = writeError(this.#request.partial, error);
    if (!(said instanceof UserError) || said.code !== 'diskFull') return said;
    return new UserError(
      'diskFull',
      `There is no space left for "${this.#request.partial}": ${megabytes(this.#have)} of ` +
        `${this.#state.total === null ? 'an unknown size' : megabytes(this.#state.total)} are there and are kept.`,
      'Free some space and run the same command again: it goes on from there.',
      { cause: error },
    );
  }

  #givenUp(failure: TryAgain): UserError {
    const kept =
      this.#have > 0 ? ` ${megabytes(this.#have)} are there and are kept: the same command goes on from them.` : '';
    return new UserError(
      'fetchFailed',
      `${failure.message}, ${this.#limits.retries + 1} times in a row.${kept}`,
      'Check the network and the proxy settings (HTTPS_PROXY, NO_PROXY), or use another source with --url.',
      { cause: failure },
    );
  }
}

/** `12.3 MB`. */
export function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
