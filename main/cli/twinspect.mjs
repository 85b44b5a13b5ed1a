#!/usr/bin/env node
// Starts the command line; before that, sets up what is missing (locked dependencies, built program).
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, projectRoot, requireNodeVersion } from './setup.mjs';

requireNodeVersion();
ensureDependencies();
await ensureBuild();
const { runCommandLine } = await import(pathToFileURL(join(projectRoot, 'dist', 'cli.js')).href);
process.exitCode = await runCommandLine(process.argv.slice(2));
