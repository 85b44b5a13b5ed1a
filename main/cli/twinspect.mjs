#!/usr/bin/env node
// Starts the command line; before that, sets up what is missing (locked dependencies, built program).
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureBuild, ensureDependencies, projectRoot, requireNodeVersion } from './setup.mjs';

/** ONNX Runtime overflows its stack on a long command line: beyond this many characters they travel in a file. */
const longestCommandLine = 8000;
const argumentsFile = process.env['TWINSPECT_ARGUMENTS_FILE'];

if (argumentsFile === undefined && process.argv.join(' ').length > longestCommandLine) {
  process.exitCode = await runWithArgumentsFile(process.argv.slice(2));
} else {
  delete process.env['TWINSPECT_ARGUMENTS_FILE'];
  const args = argumentsFile === undefined ? process.argv.slice(2) : JSON.parse(readFileSync(argumentsFile, 'utf8'));
  requireNodeVersion();
  ensureDependencies();
  await ensureBuild();
  const { runCommandLine } = await import(pathToFileURL(join(projectRoot, 'dist', 'cli.js')).href);
  process.exitCode = await runCommandLine(args);
}

/**
 * Runs this program again with the arguments in a file, passes signals on, and ends as it ends.
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
async function runWithArgumentsFile(args) {
  const folder = mkdtempSync(join(tmpdir(), 'twinspect-'));
  const file = join(folder, 'arguments.json');
  writeFileSync(file, JSON.stringify(args));
  try {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
      stdio: 'inherit',
      env: { ...process.env, TWINSPECT_ARGUMENTS_FILE: file },
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
