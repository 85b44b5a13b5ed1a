// Builds models/sample/papers from an unpacked copy of the PIPED pack in MVTec layout (see README.md):
//   node models/sample/select.mjs PATH_TO_PIPED_PACK
// The choice follows a fixed rule, so the same pack always gives the same set. Files are copied byte by byte.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decode } from 'fast-png';

const perClass = { train: 20, calibration: 5, testGood: 6, defects: 8 };
/** Two patches of one sheet whose grey values correlate above this show the same spot. */
const nearDuplicate = 0.5;

const pack = process.argv[2];
if (pack === undefined) throw new Error('usage: node models/sample/select.mjs PATH_TO_PIPED_PACK');
const target = new URL('papers', import.meta.url).pathname;
rmSync(target, { recursive: true, force: true });

/** `count` entries spread evenly over the sorted list. */
const spread = (list, count) =>
  list.length <= count
    ? list
    : Array.from({ length: count }, (_, i) => list[Math.floor(((i + 0.5) * list.length) / count)]);
const pngs = (folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.png'))
    .sort()
    .map((name) => join(folder, name));

/** Zero-mean, unit-length grey values of the top-left 127 x 127 pixels (one picture of the pack is 127 wide). */
function signature(path) {
  const { data, width, channels } = decode(readFileSync(path));
  const grey = new Float64Array(127 * 127);
  for (let y = 0; y < 127; y++)
    for (let x = 0; x < 127; x++) {
      const at = (y * width + x) * channels;
      grey[y * 127 + x] = data[at] + data[at + 1] + data[at + 2];
    }
  const mean = grey.reduce((a, b) => a + b) / grey.length;
  const norm = Math.sqrt(grey.reduce((a, b) => a + (b - mean) ** 2, 0));
  return grey.map((v) => (v - mean) / norm);
}
const correlation = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

for (const className of readdirSync(pack)
  .filter((name) => name.startsWith('PA_'))
  .sort()) {
  const from = join(pack, className);
  const chosen = [];
  const take = (paths, folder) => {
    const to = join(target, className, folder);
    mkdirSync(to, { recursive: true });
    for (const path of paths) {
      copyFileSync(path, join(to, basename(path)));
      chosen.push({
        path,
        hash: createHash('sha256').update(readFileSync(path)).digest('hex'),
        signature: signature(path),
      });
    }
  };
  const apart = (path) => {
    const own = signature(path);
    return chosen.every((other) => correlation(own, other.signature) < nearDuplicate);
  };

  take(spread(pngs(join(from, 'test/good')), perClass.testGood), 'test/good');
  const pool = pngs(join(from, 'train/good')).filter(apart);
  const calibration = spread(pool, perClass.calibration);
  take(calibration, 'calibration/good');
  const rest = pool.filter((path) => !calibration.includes(path) && apart(path));
  take(spread(rest, perClass.train), 'train/good');

  const withDefect = pngs(join(from, 'test/impurity')).filter((path) => {
    const mask = decode(readFileSync(join(from, 'ground_truth/impurity', `${basename(path, '.png')}_mask.png`)));
    return mask.data.some((v) => v > 0);
  });
  const defects = spread(withDefect, perClass.defects);
  take(defects, 'test/impurity');
  const masks = join(target, className, 'ground_truth/impurity');
  mkdirSync(masks, { recursive: true });
  for (const path of defects) {
    const mask = `${basename(path, '.png')}_mask.png`;
    copyFileSync(join(from, 'ground_truth/impurity', mask), join(masks, mask));
  }
  if (new Set(chosen.map((entry) => entry.hash)).size !== chosen.length)
    throw new Error(`${className}: identical pictures`);
  let closest = 0;
  chosen.forEach((a, i) =>
    chosen.slice(i + 1).forEach((b) => (closest = Math.max(closest, correlation(a.signature, b.signature)))),
  );
  console.log(
    className,
    'pool',
    pool.length,
    'train',
    Math.min(rest.length, perClass.train),
    'closest pair',
    closest.toFixed(3),
  );
}
