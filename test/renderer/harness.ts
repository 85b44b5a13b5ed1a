/**
 * The window in a plain browser: builds it, serves it with the product's content security policy beside the bundled
 * sample pictures, and puts the fake station where the preload would be.
 */
import { chromium, type Browser, type BrowserContextOptions, type Page } from '@playwright/test';
import { build as esbuild } from 'esbuild';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, extname, join, normalize, sep } from 'node:path';
import { build as viteBuild } from 'vite';
import type { SamplePicture } from './fake-data.ts';

const root = join(import.meta.dirname, '../..');
const papers = join(root, 'models/sample/papers');

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "font-src 'self'",
  "worker-src 'self'",
  "connect-src 'self'",
  "media-src 'self' blob: mediastream:",
].join('; ');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

/** A Chromium of this machine, if there is one on the path. */
export function findChromium(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
}

/** Width and height out of a PNG's header. */
function sizeOf(png: Buffer): { widthPx: number; heightPx: number } {
  return { widthPx: png.readUInt32BE(16), heightPx: png.readUInt32BE(20) };
}

function readSample(): { sample: SamplePicture[]; files: Map<string, string> } {
  const sample: SamplePicture[] = [];
  const files = new Map<string, string>();
  for (const path of readdirSync(papers, { recursive: true, encoding: 'utf8' }).sort()) {
    const [className, split, kind, fileName] = path.split(sep);
    if (fileName === undefined || extname(fileName) !== '.png' || split === 'ground_truth') continue;
    const bytes = readFileSync(join(papers, path));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const mask = join(className!, 'ground_truth', kind!, fileName.replace('.png', '_mask.png'));
    files.set(sha256, path);
    sample.push({
      sha256,
      fileName,
      className: className!,
      split: split!,
      kind: kind!,
      ...sizeOf(bytes),
      mask: existsSync(join(papers, mask)) ? `/sample/${mask}` : null,
    });
  }
  return { sample, files };
}

export interface Harness {
  /** A fresh page with the fake station, at `#/<path>`. */
  open(path: string, options?: { fake?: object; context?: BrowserContextOptions }): Promise<Page>;
  close(): Promise<void>;
}

/** @param chromiumArguments e.g. a camera that plays a file */
export async function startHarness(chromiumPath: string, chromiumArguments: string[] = []): Promise<Harness> {
  const folder = mkdtempSync(join(tmpdir(), 'twinspect-window-'));
  process.env['VITE_PICTURE_ROOT'] = '/';
  await viteBuild({
    configFile: join(root, 'renderer/vite.config.ts'),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true, minify: false },
  });
  const fake = await esbuild({
    entryPoints: [join(root, 'test/renderer/fake-station.ts')],
    bundle: true,
    format: 'iife',
    write: false,
    target: 'chrome130',
  });
  const { sample, files } = readSample();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    const picture = /^\/picture\/[^/]+\/([0-9a-f]{64})$/.exec(path)?.[1];
    const file =
      picture !== undefined
        ? join(papers, files.get(picture) ?? '?')
        : path.startsWith('/sample/')
          ? join(papers, normalize(path.slice(8)))
          : join(folder, normalize(path === '/' ? '/index.html' : path));
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': policy,
    });
    response.end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ['--no-sandbox', '--disable-gpu', ...chromiumArguments],
  });
  return {
    open: (path, options) => openPage(browser, server, sample, fake.outputFiles[0]!.text, path, options),
    close,
  };

  async function close(): Promise<void> {
    await browser.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openPage(
  browser: Browser,
  server: Server,
  sample: SamplePicture[],
  script: string,
  path: string,
  { fake = {}, context = {} }: { fake?: object; context?: BrowserContextOptions } = {},
): Promise<Page> {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, ...context })).newPage();
  await page.addInitScript(
    `window.fakeSample = ${JSON.stringify(sample)}; window.fakeOptions = ${JSON.stringify(fake)};`,
  );
  await page.addInitScript(script);
  await page.goto(`${origin}/#/${path}`);
  return page;
}
