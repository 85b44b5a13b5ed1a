// Resampler against Pillow, interleaved, same pixels: medians in ms and whether the bytes agree.
//   node bench/resample.mjs            needs a Python with Pillow for the comparison (PYTHON=path/to/python)
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const rounds = 7;
const perRound = 15;
const cases = [
  [1280, 720, 256, 'bilinear'],
  [1280, 720, 256, 'bicubic'],
  [1920, 1080, 448, 'bilinear'],
  [128, 128, 256, 'bilinear'],
];

const folder = mkdtempSync(join(tmpdir(), 'twinspect-bench-'));
const bundle = join(folder, 'resample.mjs');
await build({
  entryPoints: [fileURLToPath(new URL('../main/pictures/resample.ts', import.meta.url))],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile: bundle,
});
const { resample, resampleJs } = await import(pathToFileURL(bundle).href);

const pillow = `
import sys, time, hashlib, PIL
from PIL import Image
path, w, h, size, kind, n = sys.argv[1:]
w, h, size, n = int(w), int(h), int(size), int(n)
image = Image.frombytes('RGB', (w, h), open(path, 'rb').read())
flag = {'bilinear': 2, 'bicubic': 3}[kind]
times = []
for _ in range(n + 3):
    start = time.perf_counter()
    out = image.resize((size, size), flag)
    times.append((time.perf_counter() - start) * 1e3)
print(PIL.__version__, hashlib.sha256(out.tobytes()).hexdigest(), *times[3:])
`;
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
const timed = (run) => {
  const times = [];
  for (let i = 0; i < perRound; i++) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  return times;
};

for (const [width, height, size, filter] of cases) {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0, state = 1; i < data.length; i++)
    data[i] = (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24;
  const raw = join(folder, 'raw');
  writeFileSync(raw, data);
  const picture = { width, height, data };
  const hash = createHash('sha256')
    .update(Buffer.from(resample(picture, size, size, filter).data))
    .digest('hex');
  const ours = [];
  const plain = [];
  const theirs = [];
  let version = '';
  let equal = false;
  for (let round = 0; round < rounds; round++) {
    ours.push(...timed(() => resample(picture, size, size, filter)));
    plain.push(...timed(() => resampleJs(picture, size, size, filter)).slice(0, 3));
    const args = [raw, width, height, size, filter, perRound].map(String);
    const run = spawnSync(process.env.PYTHON ?? 'python3', ['-c', pillow, ...args], { encoding: 'utf8' });
    if (run.status !== 0) continue;
    const [found, theirHash, ...times] = run.stdout.trim().split(' ');
    version = found;
    equal = theirHash === hash;
    theirs.push(...times.map(Number));
  }
  const own = median(ours);
  const line = `${width} x ${height} -> ${size}, ${filter}: ${own.toFixed(2)} ms (JavaScript ${median(plain).toFixed(2)} ms)`;
  if (theirs.length === 0) console.log(`${line}; no Pillow found`);
  else {
    const other = median(theirs);
    const verdict = equal ? 'same bytes' : 'OTHER BYTES';
    console.log(`${line}; Pillow ${version} ${other.toFixed(2)} ms; ${(own / other).toFixed(2)}x; ${verdict}`);
  }
}
rmSync(folder, { recursive: true });
