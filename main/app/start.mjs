// `npm start`: sets up what is missing, then opens the station.
import { spawn } from 'node:child_process';
import { ensureBuild, ensureDependencies, ensureWindow, projectRoot, requireNodeVersion } from '../cli/setup.mjs';

requireNodeVersion();
ensureDependencies();
await ensureBuild();
await ensureWindow();
const { electronHost } = await import('./host/electron-host.mjs');

const { DISPLAY, WAYLAND_DISPLAY } = process.env;
if (process.platform === 'linux' && !DISPLAY && !WAYLAND_DISPLAY) {
  console.error(
    'There is no screen: start it from a desktop session (or with a virtual screen: xvfb-run -a npm start).',
  );
  process.exit(1);
}
const host = await electronHost().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
if (!host.official) console.error('This runs on the development host of Electron, not on an official build.');
const args = [projectRoot, ...process.argv.slice(2)];
// Chromium refuses its sandbox to root. Nobody should run a station as root; a developer in a container may have to.
if (process.getuid?.() === 0) {
  console.error('Started as root: the operating system sandbox is off. Use an ordinary user on a real station.');
  args.unshift('--no-sandbox');
}
const child = spawn(host.path, args, {
  stdio: 'inherit',
  env: { ...process.env, TWINSPECT_STARTED_AT: String(Date.now()) },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
