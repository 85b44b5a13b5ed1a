/** Connections of a download: proxies, own certificate authorities, redirects that must not lead just anywhere. */
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici';
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
  body: Dispatcher.ResponseData['body'];
  /** After all redirects. */
  url: URL;
}

/** Sends requests the way the person's network wants them. */
export interface Connection {
  /**
   * GET with redirects followed.
   * @throws UserError `redirectElsewhere`, `redirectInsecure`, `redirectEndless`; network errors as they come
   */
  get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

const mostRedirects = 10;

/**
 * Opens connections through the proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (small letters too).
 * @throws UserError `caUnreadable`
 */
export async function openConnection(options: ConnectionOptions = {}): Promise<Connection> {
  const tls = options.caFile === undefined ? {} : { ca: await authorities(options.caFile) };
  const timeout = options.answerTimeoutMs ?? 30_000;
  const agents = new Map<string, Dispatcher>();
  const agentFor = (url: URL): Dispatcher => {
    const proxy = proxyOf(url);
    const known = agents.get(proxy?.href ?? '');
    if (known !== undefined) return known;
    const agent =
      proxy === null
        ? new Agent({ connect: { ...tls, timeout } })
        : new ProxyAgent({ uri: proxy.href, requestTls: tls, proxyTls: { ...tls, timeout } });
    agents.set(proxy?.href ?? '', agent);
    return agent;
  };
  const allowed = options.allowHosts ?? [];
  return {
    get: async (start, headers, signal) => {
      let url = start;
      for (let redirects = 0; redirects <= mostRedirects; redirects++) {
        const answer = await request(url, {
          dispatcher: agentFor(url),
          headers,
          signal,
          headersTimeout: timeout,
          bodyTimeout: 0,
        });
        // Whoever reads the body hears of errors by reading; a body that is thrown away must not end the process.
        answer.body.on('error', () => undefined);
        const header = (name: string): string | undefined => {
          const value = answer.headers[name];
          return Array.isArray(value) ? value.join(', ') : value;
        };
        const location = header('location');
        if (![301, 302, 303, 307, 308].includes(answer.statusCode) || location === undefined) {
          return { status: answer.statusCode, header, body: answer.body, url };
        }
        await answer.body.dump().catch(() => undefined);
        const next = new URL(location, url);
        checkRedirect(start, url, next, allowed);
        url = next;
      }
      throw new UserError('redirectEndless', `${start.host} sends from one address to the next without end.`);
    },
    close: async () => {
      for (const agent of agents.values()) await agent.destroy();
    },
  };
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
