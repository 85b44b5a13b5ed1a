import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';

/** Environment variables that lead around a local server. */
export const proxyVariables = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY'];

export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

export interface TestServer {
  url: string;
  host: string;
  /** Range headers as they came, `-` for none. */
  ranges: string[];
  requests: () => number;
  close(): Promise<void>;
}

/** A local server whose answers a test writes. */
export async function serve(answer: Answer, tls?: { key: string; cert: string }): Promise<TestServer> {
  const ranges: string[] = [];
  let count = 0;
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    ranges.push(request.headers.range ?? '-');
    answer(request, response, count++);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await listen(server);
  const { port } = server.address() as AddressInfo;
  const host = `localhost:${port}`;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}/weights.safetensors`,
    host,
    ranges,
    requests: () => count,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

export function listen(server: Server): Promise<void> {
  return new Promise((done) => server.listen(0, 'localhost', () => done()));
}

/** Serves a file as a good server does, with Range, If-Range and an ETag. */
export function sendFile(content: Buffer, etag = '"v1"'): Answer {
  return (request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const match = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    if (range !== null && match) {
      const from = Number(range[1]);
      if (from >= content.length) {
        response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
        return;
      }
      const part = content.subarray(from);
      response.writeHead(206, {
        etag,
        'content-length': part.length,
        'content-range': `bytes ${from}-${content.length - 1}/${content.length}`,
      });
      response.end(part);
      return;
    }
    response.writeHead(200, { etag, 'content-length': content.length });
    response.end(content);
  };
}

/**
 * Announces all and breaks off after `bytes` of what is asked for.
 * @param kept how many bytes the other side has stored: the break waits until these came, for what lies unread in a
 *   connection goes with it
 */
export function breakOff(content: Buffer, bytes: number, kept: () => number, etag = '"v1"'): Answer {
  return (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const headers =
      from === 0
        ? { etag, 'content-length': content.length }
        : {
            etag,
            'content-length': content.length - from,
            'content-range': `bytes ${from}-${content.length - 1}/${content.length}`,
          };
    response.writeHead(from === 0 ? 200 : 206, headers);
    response.write(content.subarray(from, from + bytes));
    const timer = setInterval(() => {
      if (kept() <= from) return;
      clearInterval(timer);
      response.destroy();
    }, 150);
    response.on('close', () => clearInterval(timer));
  };
}
