import { protocol } from 'electron';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ServedFile } from '../station/served-pictures.ts';
import { reportScheme } from './print-pdf.ts';

/** Scheme and hosts of everything the window loads: `station://app/…`, `station://picture/…`, `station://heat/…`. */
export const scheme = 'station';

/** Allows what the window needs and nothing else: no inline script, no eval, no address outside the station. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' station: blob: data:",
  "font-src 'self'",
  "worker-src 'self'",
  "connect-src 'self'",
  "media-src 'self' blob: mediastream:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.wav': 'audio/wav',
};

/** Where pictures come from; undefined: there is none. */
export interface PictureSource {
  picture(projectId: string, sha256: string, sidePx: number | undefined): Promise<ServedFile | undefined>;
  heat(partId: number): Promise<ServedFile | undefined>;
}

/** Must run before Electron is ready. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true, codeCache: true } },
    // Pages of reports: with an origin of their own, so that they may load typefaces from it.
    { scheme: reportScheme, privileges: { standard: true, secure: true } },
  ]);
}

/**
 * Serves the window's own files, and pictures while somebody is signed in.
 * @param root folder of the built window; nothing outside it is ever read
 */
export function serve(root: string, pictures: PictureSource, mayLook: () => boolean): void {
  protocol.handle(scheme, async (request) => {
    const url = new URL(request.url);
    if (request.method !== 'GET') return refused(405);
    try {
      if (url.host === 'app') return await servedFile(root, url.pathname);
      if (!mayLook()) return refused(403);
      const served = await servedPicture(url, pictures);
      return served === undefined
        ? refused(404)
        : answer(served.bytes, served.contentType, 'private, max-age=31536000, immutable');
    } catch {
      return refused(404);
    }
  });
}

async function servedFile(root: string, pathname: string): Promise<Response> {
  const wanted = path.normalize(path.join(root, decodeURIComponent(pathname === '/' ? '/index.html' : pathname)));
  if (!wanted.startsWith(root + path.sep)) return refused(403);
  const contentType = contentTypes[path.extname(wanted)];
  return contentType === undefined ? refused(403) : answer(await readFile(wanted), contentType, 'no-cache');
}

async function servedPicture(url: URL, pictures: PictureSource): Promise<ServedFile | undefined> {
  const [first, second] = url.pathname.split('/').filter((part) => part !== '');
  if (url.host === 'heat' && first !== undefined && /^\d{1,15}$/.test(first)) return pictures.heat(Number(first));
  const isPicture = url.host === 'picture' && first !== undefined && second !== undefined;
  if (!isPicture || !/^[A-Za-z0-9_-]{1,64}$/.test(first) || !/^[0-9a-f]{64}$/.test(second)) return undefined;
  const side = url.searchParams.get('side');
  if (side !== null && !/^\d{2,4}$/.test(side)) return undefined;
  return pictures.picture(first, second, side === null ? undefined : Number(side));
}

function answer(bytes: Uint8Array, contentType: string, cacheControl: string): Response {
  return new Response(new Uint8Array(bytes), {
    headers: {
      'content-type': contentType,
      'content-security-policy': contentSecurityPolicy,
      'x-content-type-options': 'nosniff',
      'cache-control': cacheControl,
      'cross-origin-resource-policy': 'same-site',
    },
  });
}

function refused(status: number): Response {
  return new Response(null, { status, headers: { 'content-security-policy': contentSecurityPolicy } });
}
