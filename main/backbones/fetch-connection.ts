/** Connections of a download: proxies, own certificate authorities, redirects that must not lead just anywhere. */
import { readFile } from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, rootCertificates } from 'node:tls';
import { UserError } from '../../shared/errors.ts';

/** How a download reaches its server. */
export interface ConnectionOptions {
  /** File of further certificate authorities (PEM), as companies have them; beside Node's and `NODE_EXTRA_CA_CERTS`. */
  caFile?: string;
  /** Hosts that a redirect may lead to (`name` or `name:port`), beside the one asked. */
  allowHosts?: readonly string[];
  /** Longest wait for a connection, and for the answer's first line. Default 30 s. */
  answerTimeoutMs?: number;
}

export interface Answer {
  status: number;
  /** Lower-case names; a header that came several times is joined. */
  header(name: string): string | undefined;
  body: http.IncomingMessage;
  /** After all redirects. */
  url: URL;
}

/** Sends requests the way the person's network wants them. */
export interface Connection {
  /**
   * GET with redirects followed; every request has a connection of its own, which ends with its body.
   * @throws UserError `redirectElsewhere`, `redirectInsecure`, `redirectEndless`; {@link ProxyRefused}; network errors as
   *   they come
   */
  get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer>;
}

/** The proxy answered a tunnel with another status than 200. */
export class ProxyRefused extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`The proxy answered with status ${status}`);
    this.name = 'ProxyRefused';
    this.status = status;
  }
}

const mostRedirects = 10;

/**
 * Opens connections through the proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (small letters too).
 * @throws UserError `caUnreadable`
 */
export async function openConnection(options: ConnectionOptions = {}): Promise<Connection> {
  const ca = options.caFile === undefined ? undefined : await authorities(options.caFile);
  const timeoutMs = options.answerTimeoutMs ?? 30_000;
  const allowed = options.allowHosts ?? [];
  return {
    get: async (start, headers, signal) => {
      let url = start;
      for (let redirects = 0; redirects <= mostRedirects; redirects++) {
        const body = await withTimeout(timeoutMs, signal, (both) => send(url, headers, ca, both));
        // Whoever reads the body hears of errors by reading; a body that is thrown away must not end the process.
        body.on('error', () => undefined);
        const header = (name: string): string | undefined => {
          const value = body.headers[name];
          return Array.isArray(value) ? value.join(', ') : value;
        };
        const location = header('location');
        const status = body.statusCode ?? 0;
        if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return { status, header, body, url };
        body.destroy();
        const next = new URL(location, url);
        checkRedirect(start, url, next, allowed);
        url = next;
      }
      throw new UserError(
        'redirectEndless',
        `${start.host} sends from one address to the next without end.`,
        'Use another source with --url.',
      );
    },
  };
}

/** Sends one GET, directly or through the proxy: a tunnel for TLS, the whole address for plain text. */
async function send(
  url: URL,
  headers: Record<string, string>,
  ca: string[] | undefined,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const proxy = proxyOf(url);
  const secure = url.protocol === 'https:';
  const tls = ca === undefined ? {} : { ca };
  if (proxy === null) {
    const options = { headers, signal, agent: false } as const;
    return answerOf(secure ? https.request(url, { ...options, ...tls }) : http.request(url, options));
  }
  const login =
    proxy.username === ''
      ? {}
      : {
          'proxy-authorization': `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}`,
        };
  const way = proxy.protocol === 'https:' ? https : http;
  const host = proxy.hostname.replace(/^\[|\]$/g, '');
  const toProxy = { host, port: proxy.port || (way === https ? 443 : 80), signal, agent: false, ...tls } as const;
  if (!secure) {
    return answerOf(way.request({ ...toProxy, path: url.href, headers: { ...headers, ...login, host: url.host } }));
  }
  const target = `${url.hostname}:${url.port || '443'}`;
  const socket = await tunnelOf(
    way.request({ ...toProxy, method: 'CONNECT', path: target, headers: { ...login, host: target } }),
  );
  const name = url.hostname.replace(/^\[|\]$/g, '');
  const servername = isIP(name) === 0 ? { servername: name } : { host: name };
  try {
    // Without an agent: one would make a connection of its own, past the tunnel.
    const createConnection = (): Socket => connectTls({ socket, ...servername, ...tls });
    const answer = await answerOf(https.request(url, { headers, signal, createConnection }));
    answer.once('close', () => socket.destroy());
    return answer;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function answerOf(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    // Stays: a connection may break after its answer has come, and the body tells that too.
    request.on('error', reject);
    request.end();
  });
}

function tunnelOf(request: http.ClientRequest): Promise<Socket> {
  return new Promise((resolve, reject) => {
    request.once('connect', (answer, socket) => {
      if (answer.statusCode === 200) resolve(socket as Socket);
      else {
        socket.destroy();
        reject(new ProxyRefused(answer.statusCode ?? 0));
      }
    });
    request.once('response', (answer) => {
      answer.destroy();
      reject(new ProxyRefused(answer.statusCode ?? 0));
    });
    request.on('error', reject);
    request.end();
  });
}

/** Ends the work when no answer has come in time; the body's own time is the reader's business. */
async function withTimeout<T>(ms: number, signal: AbortSignal, work: (both: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ms);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    throw Object.assign(new Error(`no answer within ${ms} ms`, { cause: error }), { code: 'ETIMEDOUT' });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Proxy that an address is reached through; null for a direct connection.
 * @throws UserError `proxyInvalid`
 */
export function proxyOf(url: URL, env: NodeJS.ProcessEnv = process.env): URL | null {
  const named = (...names: string[]): string | undefined =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== '');
  const proxy =
    (url.protocol === 'https:' ? named('https_proxy', 'HTTPS_PROXY') : undefined) ?? named('http_proxy', 'HTTP_PROXY');
  const without = (named('no_proxy', 'NO_PROXY') ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  const host = url.hostname.toLowerCase();
  const spared = without.some((entry) => {
    const [name = '', port] = entry.toLowerCase().split(':');
    if (name === '*') return true;
    if (port !== undefined && port !== (url.port || (url.protocol === 'https:' ? '443' : '80'))) return false;
    const bare = name.replace(/^\*?\./, '');
    return host === bare || host.endsWith(`.${bare}`);
  });
  if (proxy === undefined || spared) return null;
  try {
    return new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
  } catch (error) {
    throw new UserError(
      'proxyInvalid',
      'The proxy that is set in the environment is no address.',
      'Set HTTPS_PROXY to http://host:port.',
      { cause: error },
    );
  }
}

function checkRedirect(start: URL, from: URL, to: URL, allowed: readonly string[]): void {
  if (to.protocol !== 'https:' && !(to.protocol === 'http:' && start.protocol === 'http:')) {
    throw new UserError(
      'redirectInsecure',
      `${from.host} sends on to ${to.protocol}//${to.host}, which is not encrypted.`,
      'Use another source with --url.',
    );
  }
  if (to.host === start.host || allowed.includes(to.host) || allowed.includes(to.hostname)) return;
  throw new UserError(
    'redirectElsewhere',
    `${from.host} sends on to another host, ${to.host}; nothing was fetched from there.`,
    `If you trust it, run the same command again with --allow-host ${to.host}.`,
  );
}

/** Giving a CA of one's own replaces Node's list: it's put back, and what `NODE_EXTRA_CA_CERTS` names too. */
async function authorities(caFile: string): Promise<string[]> {
  const list = [...rootCertificates];
  const extra = process.env['NODE_EXTRA_CA_CERTS'];
  for (const file of extra === undefined || extra === '' ? [caFile] : [caFile, extra]) {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      throw new UserError('caUnreadable', `The certificate file "${file}" can't be read.`, 'Check its path.', {
        cause: error,
      });
    }
    if (!text.includes('-----BEGIN CERTIFICATE-----')) {
      throw new UserError(
        'caUnreadable',
        `"${file}" holds no certificate.`,
        'Give a PEM file ("-----BEGIN CERTIFICATE-----").',
      );
    }
    list.push(text);
  }
  return list;
}
