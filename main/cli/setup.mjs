// What must be there before the program can run: a Node that is new enough, the locked dependencies, the built
// program. No dependency of its own, for it runs before there are any.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const buildMarker = join(projectRoot, 'dist', '.built-from');
const windowMarker = join(projectRoot, 'dist-renderer', '.built-from');
/** What goes into dist/, and into the window's dist-renderer/. */
const programSources = ['main', 'shared', 'renderer/report', 'package-lock.json'];
const windowSources = ['renderer/app', 'renderer/vite.config.ts', 'shared', 'package-lock.json'];
const lockFolder = join(projectRoot, '.twinspect', 'setup.lock');

/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

/** Says what is wrong and ends the process when this Node is older than package.json asks for. */
export function requireNodeVersion() {
  const wanted = /(\d+)\.(\d+)/.exec(JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')).engines.node);
  const found = process.versions.node.split('.').map(Number);
  if (wanted === null) return;
  const [major, minor] = [Number(wanted[1]), Number(wanted[2])];
  if (found[0] > major || (found[0] === major && found[1] >= minor)) return;
  say(`Twinspect needs Node ${major}.${minor} or newer; this is ${process.versions.node}. Install a newer Node.`);
  process.exit(1);
}

/**
 * Compares package-lock.json with the list npm itself leaves in node_modules after a complete install.
 * @returns {string | undefined} why an install is needed; nothing when it's not
 */
export function whyInstall(root = projectRoot) {
  const installedList = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedList)) return 'they are not there yet';
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedList, 'utf8')).packages;
  for (const [path, entry] of Object.entries(locked)) {
    // The root itself isn't installed; optional entries are other platforms' binaries.
    if (path === '' || entry.optional === true || entry.peer === true) continue;
    if (installed[path]?.version !== entry.version) return `${path.replace('node_modules/', '')} is not the locked one`;
    if (!existsSync(join(root, path))) return `${path.replace('node_modules/', '')} is gone`;
  }
  return undefined;
}

/** Installs the locked dependencies if they are missing or stale, and says so. */
export function ensureDependencies() {
  if (whyInstall() === undefined) return;
  withLock(() => {
    const reason = whyInstall();
    if (reason === undefined) return;
    say(`Installing the locked dependencies (${reason}): npm ci. This needs the package registry, once.`);
    // One string through a shell: npm is a script with another name on Windows.
    const done = spawnSync('npm ci --no-audit --no-fund', {
      cwd: projectRoot,
      stdio: ['ignore', 2, 2],
      shell: true,
      // Started from `npm ci --omit=dev` or with NODE_ENV=production, the build tools would be left out.
      env: { ...process.env, NODE_ENV: '', npm_config_omit: '', npm_config_include: 'dev' },
    });
    if (done.status === 0) return;
    say(
      'Installing the dependencies failed, see above. Check the network (or the registry set in .npmrc) and run it again.',
    );
    process.exit(1);
  });
}

/** Builds dist/ if it is missing or older than its sources, and says so. */
export async function ensureBuild() {
  await ensureBuilt('the program', buildMarker, programSources, async () => {
    const { build } = await import('./build.mjs');
    await build(projectRoot);
  });
}

/** Builds the station's window into dist-renderer/ if it is missing or older than its sources, and says so. */
export async function ensureWindow() {
  await ensureBuilt('the window', windowMarker, windowSources, async () => {
    const { build } = await import('vite');
    await build({ configFile: join(projectRoot, 'renderer', 'vite.config.ts'), logLevel: 'warn' });
  });
}

/** @param {string} what @param {string} marker @param {string[]} sources @param {() => Promise<void>} build */
async function ensureBuilt(what, marker, sources, build) {
  const wanted = sourcesKey(sources);
  if (isBuilt(marker, wanted)) return;
  await withLockAsync(async () => {
    if (isBuilt(marker, wanted)) return;
    const start = Date.now();
    await build();
    writeFileSync(marker, wanted);
    say(`Built ${what} from its sources (${((Date.now() - start) / 1000).toFixed(1)} s).`);
  });
}

/** @param {string} marker @param {string} wanted */
function isBuilt(marker, wanted) {
  return existsSync(marker) && readFileSync(marker, 'utf8') === wanted;
}

/**
 * Names, sizes and times of all sources in one hash: a change of any of them means a new build.
 * @param {string[]} sources
 */
function sourcesKey(sources) {
  const hash = createHash('sha256');
  /** @param {string} path */
  const visit = (path) => {
    const stat = statSync(path);
    if (stat.isDirectory()) {
      for (const name of readdirSync(path).sort()) visit(join(path, name));
    } else {
      hash.update(`${relative(projectRoot, path)} ${stat.size} ${stat.mtimeMs}\n`);
    }
  };
  for (const name of sources) if (existsSync(join(projectRoot, name))) visit(join(projectRoot, name));
  return hash.digest('hex');
}

function withLock(work) {
  takeLock();
  try {
    work();
  } finally {
    rmSync(lockFolder, { recursive: true, force: true });
  }
}

async function withLockAsync(work) {
  takeLock();
  try {
    await work();
  } finally {
    rmSync(lockFolder, { recursive: true, force: true });
  }
}

/** Two starts at once must not both run npm ci: the second waits for the first; a dead owner's lock is taken over. */
function takeLock() {
  mkdirSync(dirname(lockFolder), { recursive: true });
  const owner = join(lockFolder, 'pid');
  for (let waited = 0; ; waited++) {
    try {
      mkdirSync(lockFolder);
      writeFileSync(owner, String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isAlive(owner, waited)) {
      rmSync(lockFolder, { recursive: true, force: true });
      continue;
    }
    if (waited === 0) say('Waiting for another start that is just setting up ...');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
  }
}

/** @param {string} owner @param {number} waited */
function isAlive(owner, waited) {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return true;
  } catch (error) {
    // No pid written yet: give its owner a second. EPERM: alive, another user's.
    return error.code === 'EPERM' || (error.code === 'ENOENT' && waited < 4);
  }
}

// `npm run build`
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  requireNodeVersion();
  ensureDependencies();
  await ensureBuild();
  await ensureWindow();
}
