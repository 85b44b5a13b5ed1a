import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { createServer, get as httpGet } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fetchFile, type FetchFileSystem, type FetchRequest } from '../../main/backbones/fetch.ts';
import { proxyOf } from '../../main/backbones/fetch-connection.ts';
import { breakOff, listen, proxyVariables, sendFile, serve, type Answer, type TestServer } from './file-server.ts';

const content = randomBytes(300_000);
const sha256 = createHash('sha256').update(content).digest('hex');
const fixtures = join(import.meta.dirname, '..', 'fixtures', 'backbones');
const tls = {
  key: readFileSync(join(fixtures, 'localhost-key.pem'), 'utf8'),
  cert: readFileSync(join(fixtures, 'localhost-cert.pem'), 'utf8'),
};

let folder: string;
let partial: string;
const open: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  folder = await nodeFs.mkdtemp(join(tmpdir(), 'twinspect-fetch-'));
  partial = join(folder, 'fetch.partial');
  for (const name of proxyVariables) vi.stubEnv(name, '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of open.splice(0)) await server.close();
  await nodeFs.rm(folder, { recursive: true, force: true });
});

const kept = (): number => (existsSync(partial) ? statSync(partial).size : 0);

async function serving(answer: Answer, secure?: typeof tls): Promise<TestServer> {
  const server = await serve(answer, secure);
  open.push(server);
  return server;
}

const fast = { retries: 3, backoffMs: 5, windowMs: 60_000, minBytes: 1000, progressBytes: 1000 };
const get = (url: string, more: Partial<FetchRequest> = {}): ReturnType<typeof fetchFile> =>
  fetchFile({ url, partial, limits: fast, ...more });

describe('a download', () => {
  test('brings the whole file, tells host and size first, then how far it is', async () => {
    const server = await serving(sendFile(content));
    const told: unknown[] = [];
    const result = await get(server.url, {
      sha256,
      bytes: content.length,
      onStart: (start) => told.push(start),
      onProgress: (done, total) => told.push([done, total]),
    });
    expect(result).toEqual({ bytes: content.length, sha256, url: server.url });
    expect(told[0]).toEqual({ host: server.host, proxy: null, totalBytes: content.length, haveBytes: 0 });
    expect(told.at(-1)).toEqual([content.length, content.length]);
    expect((await nodeFs.readFile(partial)).equals(content)).toBe(true);
    expect(existsSync(`${partial}.json`)).toBe(false);
  });

  test('goes on where a broken connection stopped', async () => {
    const server = await serving((request, response, count) =>
      (count < 2 ? breakOff(content, 100_000, kept) : sendFile(content))(request, response, count),
    );
    const notices: string[] = [];
    const result = await get(server.url, { sha256, onNotice: (message) => notices.push(message) });
    expect(result.sha256).toBe(sha256);
    expect(server.ranges[0]).toBe('-');
    // What had not been read yet when it broke is asked for again.
    for (const range of server.ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(notices).toHaveLength(2);
  });

  test('goes on in a later run, with If-Range', async () => {
    const broken = await serving(breakOff(content, 50_000, kept));
    await expect(get(broken.url, { limits: { ...fast, retries: 0 } })).rejects.toMatchObject({ code: 'fetchFailed' });
    const left = kept();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(50_000);
    let ifRange: string | string[] | undefined;
    const good = await serving((request, response, count) => {
      ifRange = request.headers['if-range'];
      sendFile(content)(request, response, count);
    });
    // The state names the address: as the same server would have it.
    const state = JSON.parse(await nodeFs.readFile(`${partial}.json`, 'utf8')) as Record<string, unknown>;
    await nodeFs.writeFile(`${partial}.json`, JSON.stringify({ ...state, url: good.url }));
    expect(await get(good.url)).toMatchObject({ sha256 });
    expect(good.ranges).toEqual([`bytes=${left}-`]);
    expect(ifRange).toBe('"v1"');
  });

  test('starts over when the file has changed meanwhile', async () => {
    await nodeFs.writeFile(partial, randomBytes(1000));
    const server = await serving(sendFile(content, '"v2"'));
    await nodeFs.writeFile(
      `${partial}.json`,
      JSON.stringify({ url: server.url, validator: '"v1"', total: content.length }),
    );
    expect(await get(server.url)).toMatchObject({ sha256 });
  });

  test('starts over when another address is asked and nothing is pinned', async () => {
    await nodeFs.writeFile(partial, randomBytes(1000));
    await nodeFs.writeFile(`${partial}.json`, JSON.stringify({ url: 'http://x/y', validator: '"v1"', total: 2000 }));
    const server = await serving(sendFile(content));
    expect(await get(server.url)).toMatchObject({ sha256 });
    expect(server.ranges).toEqual(['-']);
  });

  test('survives a server that ignores Range', async () => {
    const server = await serving((request, response, count) => {
      if (count === 0) {
        breakOff(content, 70_000, kept)(request, response, count);
        return;
      }
      response.writeHead(200, { 'content-length': content.length }).end(content);
    });
    expect(await get(server.url, { sha256 })).toMatchObject({ bytes: content.length });
    expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test('takes a partial that is complete already', async () => {
    await nodeFs.writeFile(partial, content);
    const server = await serving(sendFile(content));
    await nodeFs.writeFile(`${partial}.json`, JSON.stringify({ url: server.url, validator: '"v1"', total: null }));
    expect(await get(server.url)).toMatchObject({ sha256 });
  });

  test('a disk slower than a server that hangs up when it has sent all', async () => {
    const server = await serving((_request, response) => {
      response.writeHead(200, { 'content-length': content.length, connection: 'close' }).end(content);
    });
    const slow: FetchFileSystem = {
      ...nodeFs,
      open: async (...args: Parameters<typeof nodeFs.open>) => {
        const file = await nodeFs.open(...args);
        const write = file.write.bind(file) as (...given: unknown[]) => Promise<unknown>;
        return Object.assign(file, {
          write: async (...given: unknown[]) => {
            await new Promise((done) => setTimeout(done, 20));
            return write(...given);
          },
        });
      },
    };
    expect(await get(server.url, { sha256, fs: slow, limits: fast })).toMatchObject({ sha256 });
    expect(server.requests()).toBe(1);
  });

  test('stops when it is cancelled and keeps what came', async () => {
    const server = await serving((_request, response) => {
      response.writeHead(200, { 'content-length': content.length, etag: '"v1"' });
      response.write(content.subarray(0, 10_000));
    });
    const controller = new AbortController();
    const run = get(server.url, {
      signal: controller.signal,
      onProgress: (done) => {
        if (done > 0) controller.abort(new Error('cancelled'));
      },
    });
    await expect(run).rejects.toThrow('cancelled');
    expect((await nodeFs.stat(partial)).size).toBeGreaterThan(0);
  });
});

describe('what is refused', () => {
  test('a wrong checksum; nothing of it stays', async () => {
    const server = await serving(sendFile(content));
    await expect(get(server.url, { sha256: 'a'.repeat(64) })).rejects.toMatchObject({ code: 'fetchChecksum' });
    expect(existsSync(partial)).toBe(false);
    expect(existsSync(`${partial}.json`)).toBe(false);
  });

  test('a wrong size, before the content is fetched', async () => {
    const server = await serving(sendFile(content));
    await expect(get(server.url, { bytes: 12 })).rejects.toMatchObject({ code: 'fetchSize' });
    expect(existsSync(partial)).toBe(false);
  });

  test.each([
    [404, 'fetchMissing'],
    [410, 'fetchMissing'],
    [403, 'fetchRefused'],
  ])('status %i at once', async (status, code) => {
    const server = await serving((_request, response) => response.writeHead(status).end());
    await expect(get(server.url)).rejects.toMatchObject({ code });
    expect(server.requests()).toBe(1);
  });

  test('a web page in place of the file', async () => {
    const server = await serving((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>Please log in</html>'),
    );
    await expect(get(server.url)).rejects.toMatchObject({ code: 'fetchNotAFile' });
  });

  test('a truncated file is never taken for a whole one', async () => {
    const server = await serving(breakOff(content, 1500, kept));
    await expect(get(server.url, { limits: { ...fast, progressBytes: 1e6 } })).rejects.toMatchObject({
      code: 'fetchFailed',
    });
    expect(server.requests()).toBe(4);
  });

  test('a trickle', async () => {
    const server = await serving((request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
      response.writeHead(from === 0 ? 200 : 206, {
        etag: '"v1"',
        ...(from > 0 && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
      });
      let at = from;
      const drip = (): boolean => response.write(content.subarray(at, ++at));
      drip();
      const timer = setInterval(drip, 20);
      response.on('close', () => clearInterval(timer));
    });
    const run = get(server.url, { limits: { ...fast, retries: 1, windowMs: 300 } });
    await expect(run).rejects.toThrow(/brings less than 1000 bytes in 0\.3 s, 2 times in a row/);
    expect((await nodeFs.stat(partial)).size).toBeGreaterThan(0);
  });

  test('a server that never answers', async () => {
    const server = await serving(() => undefined);
    const run = get(server.url, { answerTimeoutMs: 100, limits: { ...fast, retries: 1 } });
    await expect(run).rejects.toMatchObject({ code: 'fetchFailed' });
  });

  test('a server that is not there', async () => {
    const server = await serve(() => undefined);
    await server.close();
    await expect(get(server.url)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('errors of the server are tried again, as it asks', async () => {
    const server = await serving((request, response, count) => {
      if (count < 2) response.writeHead(503, { 'retry-after': '0' }).end();
      else sendFile(content)(request, response, count);
    });
    expect(await get(server.url)).toMatchObject({ sha256 });
    expect(server.requests()).toBe(3);
  });
});

describe('redirects', () => {
  const to =
    (url: () => string): Answer =>
    (_request, response) =>
      response.writeHead(302, { location: url() }).end();

  test('to another host only where the person allows it', async () => {
    const target = await serving(sendFile(content));
    const first = await serving(to(() => target.url));
    await expect(get(first.url)).rejects.toMatchObject({
      code: 'redirectElsewhere',
      remedy: `If you trust it, run the same command again with --allow-host ${target.host}.`,
    });
    expect(target.requests()).toBe(0);
    expect(await get(first.url, { allowHosts: [target.host] })).toMatchObject({ sha256, url: target.url });
  });

  test('on the same host are followed, but not without end', async () => {
    const server = await serving((request, response, count) => {
      if (request.url === '/there') sendFile(content)(request, response, count);
      else response.writeHead(307, { location: '/there' }).end();
    });
    expect(await get(server.url)).toMatchObject({ sha256 });
    const endless = await serving((_request, response) => response.writeHead(302, { location: '/again' }).end());
    await expect(get(endless.url)).rejects.toMatchObject({ code: 'redirectEndless' });
  });

  test('never from TLS to plain text', async () => {
    const target = await serving(sendFile(content));
    const first = await serving(
      to(() => target.url),
      tls,
    );
    const run = get(first.url, { caFile: join(fixtures, 'localhost-cert.pem'), allowHosts: [target.host] });
    await expect(run).rejects.toMatchObject({ code: 'redirectInsecure' });
  });
});

describe('the network of a company', () => {
  test('its own certificate authority', async () => {
    const server = await serving(sendFile(content), tls);
    await expect(get(server.url)).rejects.toMatchObject({ code: 'certificateUnknown' });
    expect(await get(server.url, { caFile: join(fixtures, 'localhost-cert.pem') })).toMatchObject({ sha256 });
    await expect(get(server.url, { caFile: join(folder, 'no.pem') })).rejects.toMatchObject({ code: 'caUnreadable' });
  });

  async function proxy(status?: number): Promise<{ url: string; asked: string[]; login: (string | undefined)[] }> {
    const asked: string[] = [];
    const login: (string | undefined)[] = [];
    const server = createServer();
    server.on('request', (request, response) => {
      asked.push(request.url ?? '');
      httpGet(request.url ?? '', { headers: { ...request.headers, connection: 'close' } }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
    });
    const tunnels: { destroy(): unknown }[] = [];
    server.on('connect', (request, socket, head) => {
      tunnels.push(socket);
      asked.push(request.url ?? '');
      login.push(request.headers['proxy-authorization']);
      if (status !== undefined) {
        socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
        return;
      }
      const [host, port] = (request.url ?? '').split(':');
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy());
    });
    await listen(server);
    open.push({
      close: () =>
        new Promise((done) => {
          for (const socket of tunnels) socket.destroy();
          server.closeAllConnections();
          server.close(() => done());
        }),
    });
    return { url: `http://me:secret@localhost:${(server.address() as AddressInfo).port}`, asked, login };
  }

  test('its proxy, with TLS through it', async () => {
    const server = await serving(sendFile(content), tls);
    const { url, asked, login } = await proxy();
    vi.stubEnv('HTTPS_PROXY', url);
    const started: unknown[] = [];
    const result = await get(server.url, {
      caFile: join(fixtures, 'localhost-cert.pem'),
      onStart: ({ proxy: via }) => started.push(via),
    });
    expect(result).toMatchObject({ sha256 });
    expect(asked).toEqual([server.host]);
    expect(login[0]).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`);
    expect(started).toEqual([new URL(url).host]);
  });

  test('its proxy, for plain text with the whole address', async () => {
    const server = await serving(sendFile(content));
    const { url, asked } = await proxy();
    vi.stubEnv('HTTP_PROXY', url);
    expect(await get(server.url)).toMatchObject({ sha256 });
    expect(asked).toEqual([server.url]);
  });

  test('NO_PROXY', async () => {
    const server = await serving(sendFile(content));
    const { url, asked } = await proxy();
    vi.stubEnv('HTTP_PROXY', url);
    vi.stubEnv('NO_PROXY', 'example.com, localhost');
    expect(await get(server.url)).toMatchObject({ sha256 });
    expect(asked).toEqual([]);
  });

  test('a proxy that wants a password', async () => {
    const server = await serving(sendFile(content), tls);
    const { url } = await proxy(407);
    vi.stubEnv('HTTPS_PROXY', url);
    await expect(get(server.url)).rejects.toMatchObject({ code: 'fetchRefused' });
  });

  test('a proxy that is not there is named', async () => {
    vi.stubEnv('HTTPS_PROXY', 'http://localhost:1');
    const notices: string[] = [];
    const run = get('https://weights.example/x', { onNotice: (notice) => notices.push(notice) });
    await expect(run).rejects.toMatchObject({ code: 'fetchFailed' });
    expect(notices[0]).toMatch(/weights\.example through the proxy localhost:1 broke \(ECONNREFUSED\)/);
  });

  test.each([
    ['https://a.example.com/x', { HTTPS_PROXY: 'http://p:1' }, 'p:1'],
    ['https://a.example.com/x', { HTTPS_PROXY: 'p:1', NO_PROXY: '.example.com' }, null],
    ['https://a.example.com/x', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'a.example.com:80' }, 'p:1'],
    ['https://a.example.com/x', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '*' }, null],
    ['https://badexample.com/x', { https_proxy: 'http://p:1', NO_PROXY: 'example.com' }, 'p:1'],
    ['http://a/x', { HTTPS_PROXY: 'http://p:1' }, null],
    ['https://a/x', { HTTP_PROXY: 'http://q:2' }, 'q:2'],
  ])('%s with %j goes by %s', (url, env, host) => {
    expect(proxyOf(new URL(url), env)?.host ?? null).toBe(host);
  });
});

describe('a full disk', () => {
  /** Fails as the system does once `room` bytes are written. */
  const full = (room: number): FetchFileSystem => ({
    ...nodeFs,
    open: async (...args: Parameters<typeof nodeFs.open>) => {
      const file = await nodeFs.open(...args);
      const write = file.write.bind(file) as (...given: unknown[]) => Promise<unknown>;
      Object.assign(file, {
        write: (piece: Buffer, offset: number, length: number, position: number) =>
          position + length > room
            ? Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }))
            : write(piece, offset, length, position),
      });
      return file;
    },
  });

  test('at 90 % is told, what came is kept, and the next run goes on from it', async () => {
    const server = await serving(sendFile(content));
    const run = get(server.url, { sha256, fs: full(270_000) });
    await expect(run).rejects.toMatchObject({ code: 'diskFull' });
    await expect(run).rejects.toThrow(/are there and are kept\. Free some space and run the same command again/);
    const left = kept();
    expect(left).toBeGreaterThan(0);
    expect(await get(server.url, { sha256 })).toMatchObject({ sha256 });
    expect(server.ranges).toEqual(['-', `bytes=${left}-`]);
  });

  test('is told before the content comes where the size is known', async () => {
    const server = await serving(sendFile(content));
    const statfs = () => Promise.resolve({ bavail: 10, bsize: 4096 });
    const run = get(server.url, { fs: { ...nodeFs, statfs: statfs as unknown as typeof nodeFs.statfs } });
    await expect(run).rejects.toThrow(/300\.0 kB are to come|0\.3 MB are to come/);
  });
});
