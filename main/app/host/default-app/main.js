// Opens the app whose folder is named on the command line, as Electron's own default app does, for hosts that come
// without one. A module with top-level await on purpose: Electron holds `ready` back until it has ended, so the app
// may still register its protocol.
import { app } from 'electron';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const given = process.argv.slice(1);
const preloads = [];
let target;
for (let i = 0; i < given.length && target === undefined; i++) {
  if (given[i] === '-r' || given[i] === '--require') preloads.push(given[++i]);
  else if (given[i].startsWith('--app=')) target = given[i].slice('--app='.length);
  else if (!given[i].startsWith('-')) target = given[i];
}
if (target === undefined) {
  process.stderr.write('usage: electron FOLDER_OF_THE_APP\n');
  process.exit(2);
}
const require = createRequire(import.meta.url);
for (const preload of preloads) require(resolve(preload));

const folder = resolve(target);
const manifestFile = join(folder, 'package.json');
const isFolder = existsSync(manifestFile);
const manifest = isFolder ? JSON.parse(readFileSync(manifestFile, 'utf8')) : {};
if (manifest.version) app.setVersion(manifest.version);
if (manifest.productName ?? manifest.name) app.name = manifest.productName ?? manifest.name;
// A folder given by hand wins.
if (!app.commandLine.hasSwitch('user-data-dir')) app.setPath('userData', join(app.getPath('appData'), app.name));
app.setAppPath(isFolder ? folder : dirname(folder));
try {
  await import(pathToFileURL(isFolder ? join(folder, manifest.main ?? 'index.js') : folder).href);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}
