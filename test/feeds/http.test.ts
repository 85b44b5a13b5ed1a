import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SeenSet } from '../../main/inspection/seen-set.ts';
import type { FedPart, FeedNews } from '../../main/feeds/feed.ts';
import { httpFeed, type HttpLimits } from '../../main/feeds/http.ts';
import { readMultipart } from '../../main/feeds/multipart.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/shot`;
}

/** Takes so many parts, then ends the feed. */
async function take(
  url: string,
  count: number,
  { onLost, ...limits }: Partial<HttpLimits> & { onLost?: () => void } = {},
  intervalMs = 50,
): Promise<{ parts: FedPart[]; news: FeedNews[] }> {
  const controller = new AbortController();
  const news: FeedNews[] = [];
  const parts: FedPart[] = [];
  const feed = httpFeed(
    { kind: 'http', url, intervalMs },
    {
      lot: () => 'L7',
      knownFiles: new SeenSet(),
      outputFolder: null,
      onNews: (entry) => {
        news.push(entry);
        if (entry.type === 'lost') onLost?.();
      },
      signal: controller.signal,
    },
    { firstRetryMs: 10, longestRetryMs: 20, ...limits },
  );
  for await (const part of feed) {
    parts.push(part);
    if (parts.length === count) controller.abort();
  }
  return { parts, news };
}

const bytesOf = ({ content }: FedPart): string =>
  content !== undefined && 'bytes' in content ? Buffer.from(content.bytes).toString('latin1') : '';

test('snapshots: each is a part of its own; name and password are sent, and not written down', async () => {
  const logins: (string | undefined)[] = [];
  let shots = 0;
  const url = await serve((request, response) => {
    logins.push(request.headers.authorization);
    response.writeHead(200, { 'content-type': 'image/png' }).end(`shot ${String(++shots)}`);
  });
  const { parts, news } = await take(url.replace('//', '//me:s%20cret@'), 3);
  expect(parts.map(bytesOf)).toEqual(['shot 1', 'shot 2', 'shot 3']);
  expect(parts.map(({ content }) => content)).toMatchObject([{ extension: 'png' }, {}, {}]);
  expect(new Set(parts.map(({ recordKey }) => recordKey)).size).toBe(3);
  expect(parts[0]).toMatchObject({ lot: 'L7', file: `${url} #1` });
  expect(logins[0]).toBe(`Basic ${Buffer.from('me:s cret').toString('base64')}`);
  expect(news).toEqual([]);
});

test('a camera that fails is lost once, loud, and comes back by itself', async () => {
  let requests = 0;
  const url = await serve((_, response) => {
    requests += 1;
    if (requests === 2 || requests === 3) response.writeHead(503).end();
    else response.writeHead(200, { 'content-type': 'image/jpeg' }).end('ok');
  });
  const { parts, news } = await take(url, 2);
  expect(parts).toHaveLength(2);
  expect(news.map(({ type }) => type)).toEqual(['lost', 'back']);
  expect(news[0]).toMatchObject({ message: expect.stringContaining('503') as string });
});

test('silence, pictures too large and redirections are refused', async () => {
  const answers: RequestListener[] = [
    () => undefined,
    (_, response) => response.writeHead(200, { 'content-type': 'image/jpeg' }).end(Buffer.alloc(2000)),
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    (_, response) => response.writeHead(200, { 'content-type': 'image/jpeg' }).end('fine'),
  ];
  // The last one stays: on a busy machine it may be too late for one request and be asked for again.
  const url = await serve((request, response) =>
    (answers.length > 1 ? answers.shift()! : answers[0]!)(request, response),
  );
  const { parts, news } = await take(url, 1, { silenceMs: 500, mostBytes: 1000 });
  expect(parts.map(bytesOf)).toEqual(['fine']);
  expect(answers).toHaveLength(1);
  expect(news.map(({ type }) => type)).toEqual(['lost', 'back']);
});

test('what makes no picture is lost and said: drips, pages, other addresses, heads without end', async () => {
  const dripping: RequestListener = (request, response) => {
    response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=edge' });
    response.write('--edge\r\nContent-Type: image/jpeg\r\n\r\n');
    const timer = setInterval(() => response.write('x'), 20);
    request.on('close', () => clearInterval(timer));
  };
  const cases: [RequestListener, string][] = [
    [dripping, 'no whole picture came for 400 ms'],
    [(_, response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<p>'), 'text/html'],
    [(_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'another address'],
    [(_, response) => response.writeHead(401, { 'www-authenticate': 'Digest realm="x"' }).end(), '401'],
    [(_, response) => response.writeHead(200, { 'x-long': 'y'.repeat(60_000) }).end('z'), 'Headers Overflow'],
    [
      (_, response) => {
        response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=edge' });
        response.end(Buffer.alloc(9000, 'a'));
      },
      'no readable head',
    ],
  ];
  for (const [listener, why] of cases) {
    let isMended = false;
    const url = await serve((request, response) => {
      if (isMended) response.writeHead(200, { 'content-type': 'image/jpeg' }).end('fine');
      else listener(request, response);
    });
    const found = take(url, 1, { pictureMs: 400, onLost: () => (isMended = true) });
    const { parts, news } = await found;
    expect(parts.map(bytesOf)).toEqual(['fine']);
    const [lost] = news;
    expect(lost).toMatchObject({ type: 'lost', message: expect.stringContaining(why) as string });
    if (why === '401') expect(lost).toMatchObject({ remedy: expect.stringContaining('password') as string });
    server!.closeAllConnections();
    server!.close();
  }
});

test('a password may hold a per cent sign', async () => {
  const logins: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    logins.push(request.headers.authorization);
    response.writeHead(200, { 'content-type': 'image/png' }).end('shot');
  });
  await take(url.replace('//', '//me:50%25off%@'), 1);
  expect(logins).toEqual([`Basic ${Buffer.from('me:50%25off%').toString('base64')}`]);
});

test('a large picture is read in a time that grows with its size, with its length and without', async () => {
  const picture = Buffer.alloc(24 * 2 ** 20, 7);
  const chunks = async function* (withLength: boolean): AsyncGenerator<Uint8Array> {
    const length = withLength ? `Content-Length: ${String(picture.length)}\r\n` : '';
    yield Buffer.from(`--edge\r\nContent-Type: image/jpeg\r\n${length}\r\n`);
    for (let at = 0; at < picture.length; at += 4096) yield picture.subarray(at, at + 4096);
    yield Buffer.from('\r\n--edge\r\n\r\n');
    await Promise.resolve();
  };
  for (const withLength of [true, false]) {
    const parts = [];
    for await (const part of readMultipart(chunks(withLength), 'edge', 2 ** 26)) parts.push(part);
    expect(parts[0]!.bytes.length).toBe(picture.length);
    expect(Buffer.compare(parts[0]!.bytes, picture)).toBe(0);
  }
});

test.each([
  ['with content lengths', true],
  ['without them', false],
])('a stream %s: pictures at the interval, the frames between are counted', async (_, withLength) => {
  let frame = 0;
  const url = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary="--edge"' });
    const timer = setInterval(() => {
      // Many at once: on a busy machine the timer may come no oftener than pictures are taken.
      for (let i = 0; i < 10; i++) {
        frame += 1;
        const body = `frame ${String(frame)} \r\n of bytes`;
        const length = withLength ? `Content-Length: ${String(body.length)}\r\n` : '';
        const text = `--edge\r\nContent-Type: image/jpeg\r\n${length}\r\n${body}\r\n`;
        // In two pieces, as a network cuts it.
        response.write(text.slice(0, 30));
        response.write(text.slice(30));
      }
    }, 10);
    request.on('close', () => clearInterval(timer));
  });
  const { parts, news } = await take(url, 3, {}, 300);
  expect(parts).toHaveLength(3);
  for (const part of parts) expect(bytesOf(part)).toMatch(/^frame \d+ \r\n of bytes$/);
  expect(news.filter(({ type }) => type === 'skipped').length).toBeGreaterThan(0);
  expect(news.filter(({ type }) => type === 'lost')).toEqual([]);
});
