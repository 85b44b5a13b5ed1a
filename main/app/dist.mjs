// `npm run dist`: builds what people install, for this platform. With official Electron: the installers named in
// electron-builder.yml. Where that can't be downloaded: the unpacked program only (as with `--dir`), on the
// development host, for trying out; it says so, and such a build is never to be handed out.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ensureWindow, projectRoot, requireNodeVersion } from '../cli/setup.mjs';

requireNodeVersion();
ensureDependencies();
await ensureBuild();
await ensureWindow();
const { electronHost } = await import('./host/electron-host.mjs');

const host = await electronHost();
const args = ['--publish', 'never', `-c.electronVersion=${host.version}`];
if (!host.official) {
  console.error(
    'Official Electron is out of reach: only the unpacked program is built, on the development host. Not for hand-out.',
  );
  args.push(`-c.electronDist=${join(projectRoot, '.twinspect', 'electron')}`);
}
if (!host.official || process.argv.includes('--dir')) args.push('--dir');
const done = spawnSync(process.execPath, [join(projectRoot, 'node_modules', 'electron-builder', 'cli.js'), ...args], {
  cwd: projectRoot,
  stdio: 'inherit',
});
process.exitCode = done.status ?? 1;
