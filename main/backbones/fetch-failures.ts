import { UserError } from '../../shared/errors.ts';
import { proxyOf, ProxyRefused } from './fetch-connection.ts';

/** A break that another try may mend. */
export class TryAgain extends Error {
  /** How long the server wants us to wait, milliseconds. */
  readonly afterMs: number | undefined;

  constructor(message: string, afterMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TryAgain';
    this.afterMs = afterMs;
  }

  /** @returns what an HTTP status means for a download: a break, or an error for the person */
  static fromStatus(status: number, url: URL, retryAfter: string | undefined): TryAgain | UserError {
    if ([408, 425, 429].includes(status) || status >= 500) {
      return new TryAgain(`${url.host} is not ready (status ${status})`, waitOf(retryAfter));
    }
    if (status === 401 || status === 403 || status === 407) {
      return new UserError(
        'fetchRefused',
        `${status === 407 ? 'The proxy' : url.host} refuses (status ${status}).`,
        status === 407
          ? 'Put name and password into HTTPS_PROXY (http://name:password@proxy:port).'
          : 'The file may need an account there: download it in a browser and use "twinspect backbone import".',
      );
    }
    return new UserError(
      'fetchMissing',
      `${url.host} has no file ${url.href} (status ${status}).`,
      'Use another source with --url, or download the file by other means and use "twinspect backbone import".',
    );
  }
}

const longestWaitMs = 120_000;

/** Retry-After in seconds or as a date. */
function waitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(longestWaitMs, Math.max(0, ms)) : undefined;
}

/**
 * Sorts what a connection throws into breaks and errors for the person. Anything unknown comes back as it is.
 */
export function failureOf(error: unknown, url: URL): unknown {
  const { host } = url;
  if (error instanceof TryAgain || error instanceof UserError || !(error instanceof Error)) return error;
  if (error instanceof ProxyRefused) {
    return error.status === 407
      ? TryAgain.fromStatus(407, url, undefined)
      : new TryAgain(`The proxy refused the way to ${host} (status ${error.status})`, undefined, { cause: error });
  }
  const code = codeOf(error);
  if (code === undefined) return error;
  if (/CERT|ISSUER|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)) {
    return new UserError(
      'certificateUnknown',
      `The certificate of ${host} is not accepted (${code}).`,
      'If your network uses a certificate authority of its own, give its PEM file with --ca FILE (or NODE_EXTRA_CA_CERTS).',
      { cause: error },
    );
  }
  // With a proxy, only the proxy's own connection can fail to come about.
  const proxy = proxyOf(url)?.host;
  if (code === 'ENOTFOUND') {
    return new UserError(
      'hostUnknown',
      `The ${proxy === undefined ? 'host' : 'proxy'} ${proxy ?? host} is not known here: there may be no network.`,
      'Check the network and HTTPS_PROXY; without a network use "twinspect backbone import FILE".',
      { cause: error },
    );
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) {
    return new UserError('fetchFailed', `${host} does not speak TLS as expected (${code}).`, 'Check the address.', {
      cause: error,
    });
  }
  if (/^ECONN|^ETIMEDOUT$|^EPIPE$|^EAI_AGAIN$|^E(NET|HOST)UNREACH$|^HPE_/.test(code)) {
    return new TryAgain(
      `The connection to ${host}${proxy === undefined ? '' : ` through the proxy ${proxy}`} broke (${code})`,
      undefined,
      { cause: error },
    );
  }
  return error;
}

function codeOf(error: Error): string | undefined {
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause instanceof Error ? codeOf(error.cause) : undefined;
}
