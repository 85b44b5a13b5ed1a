// `npm test`: everything that must hold, one step after another, with a summary at the end.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ensureWindow, projectRoot, requireNodeVersion } from '../main/cli/setup.mjs';

requireNodeVersion();
const results = [];
/** What the summary says beneath its table: the failed tests by name, tools that died. */
const details = [];
const reporter = join(projectRoot, 'test', 'list-failed.mjs');

/** Runs one step, keeps its time, goes on when it fails: one run shows all that is wrong. */
async function step(name, work) {
  console.log(`\n== ${name}`);
  const start = Date.now();
  let ok = false;
  try {
    ok = (await work()) !== false;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  results.push({ name, ok, seconds: (Date.now() - start) / 1000 });
  return ok;
}

/** @param {string} script path of a tool's script in node_modules @param {string[]} args */
const tool = (script, ...args) => run(process.execPath, [join(projectRoot, 'node_modules', script), ...args]);

/** Runs a program to its end; the tests it names as failed (through `reporter`) are kept for the summary. */
function run(command, args) {
  const folder = mkdtempSync(join(tmpdir(), 'twinspect-tests-'));
  const list = join(folder, 'failed.txt');
  const env = { ...process.env, FAILED_TESTS_FILE: list };
  const { status, signal, error } = spawnSync(command, args, { cwd: projectRoot, stdio: 'inherit', env });
  const named = readFileSync(list, { encoding: 'utf8', flag: 'a+' }).split('\n').filter(Boolean);
  rmSync(folder, { recursive: true, force: true });
  details.push(...named);
  if (status === null) details.push(`${args.join(' ').slice(0, 120)}: ${error?.message ?? `ended by ${signal}`}`);
  return status === 0;
}

const ready =
  (await step('dependencies: the locked ones are installed', () => ensureDependencies())) &&
  (await step('build: dist/ from the sources', () => ensureBuild())) &&
  (await step('build: the window', () => ensureWindow()));
if (ready) {
  await step('types: tsc, strictest settings', () => tool('typescript/bin/tsc'));
  await step('types of the window and its tests: vue-tsc', () =>
    ['tsconfig.web.json', 'tsconfig.e2e.json']
      .map((project) => tool('vue-tsc/bin/vue-tsc.js', '--noEmit', '-p', join(projectRoot, project)))
      .every(Boolean),
  );
  await step('lint and import walls: eslint', () => tool('eslint/bin/eslint.js', '.', '--max-warnings', '0'));
  await step('format: prettier', () =>
    tool('prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '**/*.{ts,vue,mjs,css,json,html}'),
  );
  await step('tests: unit, golden, process', () =>
    tool('vitest/vitest.mjs', 'run', '--reporter=default', `--reporter=${reporter}`, ...process.argv.slice(2)),
  );
  const why = whyNoWindow();
  if (why === undefined) await step('tests in the real window', () => windowTests());
  else console.log(`\n== tests in the real window: SKIPPED\n${why}`);
}

/** Why no window can be opened here; nothing when one can. */
function whyNoWindow() {
  if (process.platform !== 'linux' || process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']) return undefined;
  if (spawnSync('xvfb-run', ['--help'], { stdio: 'ignore' }).status === 0) return undefined;
  return 'There is no screen and no virtual one. On Debian and Ubuntu: apt-get install xvfb libgtk-3-0 libnss3 libasound2 libgbm1';
}

/** The program in a real window, on a virtual screen where there is no other. */
async function windowTests() {
  const { electronHost } = await import('../main/app/host/electron-host.mjs');
  await electronHost();
  const playwright = [
    join(projectRoot, 'node_modules', '@playwright', 'test', 'cli.js'),
    'test',
    '-c',
    join(projectRoot, 'test', 'e2e', 'playwright.config.ts'),
    `--reporter=list,${reporter}`,
  ];
  const hasScreen = process.platform !== 'linux' || process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY'];
  const [command, args] = hasScreen
    ? [process.execPath, playwright]
    : ['xvfb-run', ['-a', '-s', '-screen 0 1920x1080x24', process.execPath, ...playwright]];
  return run(command, args);
}

console.log('\n== summary');
for (const { name, ok, seconds } of results) {
  console.log(`${ok ? 'ok    ' : 'FAILED'}  ${seconds.toFixed(1).padStart(6)} s  ${name}`);
}
// Few enough lines that a log cut to its end still shows them all.
const shown = details.slice(0, 12);
for (const line of shown) console.log(`        ${line}`);
if (details.length > shown.length) console.log(`        ... and ${details.length - shown.length} more, see above`);
const failed = results.filter((result) => !result.ok).length;
console.log(failed === 0 ? 'All passed.' : `${failed} of ${results.length} steps failed.`);
process.exitCode = failed === 0 ? 0 : 1;
