/**
 * Does the marked region carry the score? Masks the marked region, and equal regions at random places, and compares
 * how far the score falls; and whether the hottest point lies in the labelled defect.
 *
 *   node bench/run.mjs bench/faithfulness.ts --model ALL.twin --data DIR [--data DIR ...]
 *
 * --limit N       defective pictures of a class at most (default 12)
 * --regions NAME  what is masked: hottest (default), or all regions that the map marks
 * --randoms N     random regions a picture (default 2)
 * --fill NAMES    how regions are masked, by commas: surroundings, nearest, grey (default surroundings,nearest)
 * --dilate PX     what belongs to a labelled defect around its mask, at the network's size (default 8)
 * --threads N, --seed N, --json FILE
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { formatTable } from '../main/cli/console.ts';
import type { PictureRef } from '../main/datasets/dataset.ts';
import { readDataset } from '../main/datasets/read.ts';
import { openDetector } from '../main/detector/open-detector.ts';
import { scoreMap } from '../main/inspection/heat-map.ts';
import { readPicture } from '../main/pictures/decode.ts';
import { maskToSize, preparePicture } from '../main/pictures/prepare.ts';
import { regionMargin } from '../main/inspection/explain.ts';
import { cloneInto, fillFromSurroundings, fillGrey, type FilledPicture } from '../shared/explanation/fill.ts';
import { dilate, hotRegions } from '../shared/explanation/regions.ts';
import { createRandom } from '../shared/random.ts';
import { exactRate } from '../shared/msa/rates.ts';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string', multiple: true, default: [] },
    limit: { type: 'string', default: '12' },
    regions: { type: 'string', default: 'hottest' },
    randoms: { type: 'string', default: '2' },
    fill: { type: 'string', default: 'surroundings,nearest' },
    dilate: { type: 'string', default: '8' },
    threads: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
if (options.model === undefined || options.data.length === 0) throw new Error('give --model and --data');
const random = createRandom(Number(options.seed));
const fills = options.fill.split(',');
const detector = await openDetector(options.model, { engine: 'cpu', threads: Number(options.threads) });
const size = detector.inputSize;

interface Tally {
  pictures: number;
  pointed: number;
  /** Inside the mask itself, not dilated. */
  pointedStrictly: number;
  /** By way of filling. */
  faithful: Record<string, number>;
  fall: Record<string, number>;
  randomFall: Record<string, number>;
  share: number;
}
const tallies = new Map<string, Tally>();

const { pictures } = await readDataset(options.data, { needTrain: false });
const normals = new Map<string, PictureRef>();
for (const ref of pictures) {
  if (ref.split !== 'test' && ref.gtLabel === 'good')
    normals.set(`${ref.className}/${ref.path.split(/[\\/]/).at(-1)!}`, ref);
}
const classes = [...new Set(pictures.map(({ className }) => className))];
for (const className of classes) {
  const refs = pictures.filter(
    (ref) => ref.className === className && ref.gtLabel === 'defect' && ref.maskPath !== undefined,
  );
  random.shuffle(refs);
  for (const ref of refs.slice(0, Number(options.limit))) await measure(ref);
  const tally = tallies.get(className);
  if (tally !== undefined) console.error(`${className}: ${JSON.stringify(tally)}`);
}
await detector.close();

/** Score with a region filled. */
async function scoreOf(picture: FilledPicture): Promise<number> {
  const pixelHash = createHash('sha256').update(picture.data).digest('hex');
  return (await detector.inspect([{ ...picture, pixelHash }]))[0]!.predScore;
}

async function measure(ref: PictureRef): Promise<void> {
  const prepared = preparePicture(await readPicture(ref.path), { size });
  const result = (await detector.inspect([prepared]))[0]!;
  const scores = scoreMap(result);
  const regions = hotRegions(scores, size, size, 0);
  const [hottest] = regions;
  if (hottest === undefined) return;
  const truth = maskToSize(await readPicture(ref.maskPath!), { size });
  const tally: Tally = tallies.get(ref.className) ?? {
    pictures: 0,
    pointed: 0,
    pointedStrictly: 0,
    faithful: Object.fromEntries(fills.map((fill) => [fill, 0])),
    fall: Object.fromEntries(fills.map((fill) => [fill, 0])),
    randomFall: Object.fromEntries(fills.map((fill) => [fill, 0])),
    share: 0,
  };
  tallies.set(ref.className, tally);
  const at = hottest.peak.y * size + hottest.peak.x;
  tally.pictures++;
  if (truth[at] !== 0) tally.pointedStrictly++;
  if (dilate(truth, size, size, Number(options.dilate))[at] !== 0) tally.pointed++;
  const masked = options.regions === 'all' ? regions : [hottest];
  const inside = hottest.mask.map((_, i) => (masked.some(({ mask }) => mask[i] !== 0) ? 1 : 0));
  const marked = dilate(inside, size, size, regionMargin(size));
  tally.share += marked.reduce((sum, value) => sum + value, 0) / marked.length;
  const nearest = await nearestNormal(result.nearestNormal);
  for (const fill of fills) {
    const filled = (mask: Uint8Array): FilledPicture => {
      if (fill === 'grey') return fillGrey(prepared, mask);
      if (fill === 'nearest' && nearest !== undefined) return cloneInto(prepared, mask, nearest);
      return fillFromSurroundings(prepared, mask);
    };
    const fall = result.predScore - (await scoreOf(filled(marked)));
    let randomFall = 0;
    const randoms = Number(options.randoms);
    for (let i = 0; i < randoms; i++)
      randomFall += (result.predScore - (await scoreOf(filled(elsewhere(marked))))) / randoms;
    if (fall > randomFall) tally.faithful[fill]!++;
    tally.fall[fill]! += fall / result.predScore;
    tally.randomFall[fill]! += randomFall / result.predScore;
  }
}

async function nearestNormal(index: number): Promise<Uint8Array | undefined> {
  const name = detector.normalPicture(index);
  const ref = name && normals.get(`${name.className}/${name.fileName.split('/').at(-1)!}`);
  return ref && preparePicture(await readPicture(ref.path), { size }).data;
}

/** The same shape at a random place (over the edge it comes in again on the other side), overlapping as little as it can. */
function elsewhere(mask: Uint8Array): Uint8Array {
  let best = mask;
  let least = Infinity;
  for (let attempt = 0; attempt < 20 && least > 0; attempt++) {
    const dx = random.int(size);
    const dy = random.int(size);
    const moved = new Uint8Array(mask.length);
    let overlap = 0;
    mask.forEach((value, i) => {
      if (value === 0) return;
      const to = ((Math.floor(i / size) + dy) % size) * size + (((i % size) + dx) % size);
      moved[to] = 1;
      if (mask[to] !== 0) overlap++;
    });
    if (overlap < least) {
      least = overlap;
      best = moved;
    }
  }
  return best;
}

const share = (count: number, total: number): string => {
  const { value, low, high } = exactRate(count, total, 0.95);
  return value === null ? '-' : `${(100 * value).toFixed(1)} % (${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)})`;
};
const all = [...tallies.values()];
const sum = (pick: (tally: Tally) => number): number => all.reduce((total, tally) => total + pick(tally), 0);
const row = (name: string, list: readonly Tally[]): string[] => {
  const total = (pick: (tally: Tally) => number): number => list.reduce((value, tally) => value + pick(tally), 0);
  const count = total(({ pictures }) => pictures);
  return [
    name,
    String(count),
    share(
      total(({ pointed }) => pointed),
      count,
    ),
    share(
      total(({ pointedStrictly }) => pointedStrictly),
      count,
    ),
    `${((100 * total((tally) => tally.share)) / count).toFixed(1)} %`,
    ...fills.flatMap((fill) => [
      share(
        total(({ faithful }) => faithful[fill]!),
        count,
      ),
      `${((100 * total(({ fall }) => fall[fill]!)) / count).toFixed(0)} / ${((100 * total(({ randomFall }) => randomFall[fill]!)) / count).toFixed(0)}`,
    ]),
  ];
};
console.log(
  formatTable(
    [
      'class',
      'pictures',
      'pointing',
      'strictly',
      'area marked',
      ...fills.flatMap((fill) => [`faithful, ${fill}`, 'falls by %, random']),
    ],
    [...[...tallies].map(([name, tally]) => row(name, [tally])), row('all', all)],
  ),
);
console.log(`${String(sum(({ pictures }) => pictures))} pictures; 95 % intervals in brackets`);
if (options.json !== undefined)
  await writeFile(options.json, `${JSON.stringify(Object.fromEntries(tallies), null, 1)}\n`);
