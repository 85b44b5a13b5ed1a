/**
 * The drift guard on real pictures: false alarms per 10,000 parts, and how many parts it takes to find and to name
 * synthetic changes.
 *
 *   node bench/run.mjs bench/drift.ts --data DIR [--data DIR ...] [--model ALL.twin]
 *
 * Good pictures of each pack are split at random: one half is the baseline, the stream is drawn from the other half.
 * Without --model only the pictures are watched; with it the scores too, of test pictures alone, for the model has
 * learned from the others.
 *
 * --splits N    random splits a pack (default 10)
 * --parts N     parts of each stream for false alarms (default 10000)
 * --limit N     pictures of a class at most (default 120)
 * --scored N    with --model: test pictures of a class whose scores are watched, under each change (default 24)
 * --size PX     without --model: side that pictures are brought to (default 192)
 * --threads N, --seed N
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../main/cli/console.ts';
import { readDataset } from '../main/datasets/read.ts';
import type { Detector } from '../main/detector/detector.ts';
import { openDetector } from '../main/detector/open-detector.ts';
import { readPicture } from '../main/pictures/decode.ts';
import type { Picture } from '../main/pictures/picture.ts';
import { preparePicture } from '../main/pictures/prepare.ts';
import { buildDriftBaseline, median, type BaselineSample, type StreamValues } from '../shared/drift/baseline.ts';
import { DriftGuard } from '../shared/drift/guard.ts';
import { measurePicture } from '../shared/drift/measure.ts';
import type { DriftBaseline, DriftCause, DriftObservation, DriftState } from '../shared/drift/types.ts';
import { createRandom } from '../shared/random.ts';
import { perturbations, type PerturbationName } from '../test/drift/perturb.ts';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', multiple: true, default: [] },
    model: { type: 'string' },
    splits: { type: 'string', default: '10' },
    parts: { type: 'string', default: '10000' },
    limit: { type: 'string', default: '120' },
    scored: { type: 'string', default: '24' },
    size: { type: 'string', default: '192' },
    threads: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
});
if (options.data.length === 0) throw new Error('give --data');
const random = createRandom(Number(options.seed));
const names = Object.keys(perturbations) as PerturbationName[];
const causes: Record<PerturbationName, DriftCause> = {
  'brightness -20 %': 'light',
  'brightness +20 %': 'light',
  'red cast +10 %': 'colour',
  'blue cast -10 %': 'colour',
  'blur sigma 0.5 %': 'focus',
  'shift 5 %': 'position',
  'rotation 5 degrees': 'position',
};

/** What the guard sees of one part, as it is and under each change. */
interface Part {
  className: string;
  asIs: Omit<DriftObservation, 'at'>;
  changed: Record<PerturbationName, Omit<DriftObservation, 'at'>>;
  hasScore: boolean;
}

const detector: Detector | undefined =
  options.model === undefined
    ? undefined
    : await openDetector(options.model, { engine: 'cpu', threads: Number(options.threads) });
const size = detector?.inputSize ?? Number(options.size);

/** @param prepared as the network sees it: changes are made at its size, which is quicker and comes to the same */
async function see(prepared: Picture, className: string, scored: boolean): Promise<Omit<DriftObservation, 'at'>> {
  const result = scored ? (await detector!.inspect([{ ...prepared, pixelHash: '' }]))[0] : undefined;
  return {
    statistics: measurePicture(prepared),
    result: {
      className,
      predScore: result?.predScore ?? Number.NaN,
      classDistance: result?.classDistance ?? Number.NaN,
    },
  };
}

async function load(folder: string): Promise<Part[]> {
  const { pictures } = await readDataset([folder], { needTrain: false });
  const parts: Part[] = [];
  for (const className of new Set(pictures.map((ref) => ref.className))) {
    const good = random.shuffle(pictures.filter((ref) => ref.className === className && ref.gtLabel === 'good'));
    const tests = good.filter(({ split }) => split === 'test').slice(0, Number(options.scored));
    // Those with scores first, so that the limit leaves none of them out.
    const ordered = detector === undefined ? good : [...tests, ...good.filter((ref) => !tests.includes(ref))];
    for (const ref of ordered.slice(0, Number(options.limit))) {
      const hasScore = detector !== undefined && tests.includes(ref);
      const picture: Picture = preparePicture(await readPicture(ref.path), { size });
      const asIs = await see(picture, className, hasScore);
      const changed = {} as Part['changed'];
      for (const name of names) changed[name] = await see(perturbations[name](picture), className, hasScore);
      parts.push({ className, asIs, changed, hasScore });
    }
  }
  return parts;
}

function baselineOf(parts: readonly Part[]): ReturnType<typeof buildDriftBaseline> {
  const samples: BaselineSample[] = parts.map(({ className, asIs, hasScore }) => ({
    className,
    statistics: asIs.statistics,
    result: hasScore ? asIs.result : null,
  }));
  return buildDriftBaseline(samples, { modelHash: 'bench', createdAt: '' });
}

/** Half of each class for the baseline; the other half is the stream. */
function halves(parts: readonly Part[]): { base: Part[]; stream: Part[] } {
  const base: Part[] = [];
  const stream: Part[] = [];
  for (const className of new Set(parts.map((part) => part.className))) {
    const own = random.shuffle(parts.filter((part) => part.className === className));
    own.forEach((part, i) => (i % 2 === 0 ? base : stream).push(part));
  }
  return { base, stream };
}

/** Feeds a guard with parts that come again and again: their numbers are computed once a baseline. */
class Feed {
  readonly guard: DriftGuard;
  readonly #known: Map<Omit<DriftObservation, 'at'>, StreamValues | null>;

  constructor(baseline: DriftBaseline, known: Map<Omit<DriftObservation, 'at'>, StreamValues | null>) {
    this.guard = new DriftGuard(baseline);
    this.#known = known;
  }

  observe(seen: Omit<DriftObservation, 'at'>): DriftState {
    let values = this.#known.get(seen);
    if (values === undefined) this.#known.set(seen, (values = this.guard.valuesOf(seen)));
    return this.guard.observeValues(seen.result.className, values);
  }
}

const draw = (parts: readonly Part[]): Part => parts[random.int(parts.length)]!;
const longest = 500;
const before = 200;
const rows: string[][] = [];
let alarms = 0;
let watched = 0;
for (const folder of options.data) {
  const started = performance.now();
  const parts = await load(folder);
  console.error(
    `${path.basename(folder)}: ${String(parts.length)} good pictures in ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  let falseAlarms = 0;
  const delays = Object.fromEntries(names.map((name) => [name, [] as number[]]));
  const named = Object.fromEntries(names.map((name) => [name, 0]));
  const off = Object.fromEntries(names.map((name) => [name, [] as number[]]));
  let positioned = 0;
  const splits = Number(options.splits);
  for (let split = 0; split < splits; split++) {
    const { base, stream } = halves(parts);
    const baseline = baselineOf(base);
    positioned +=
      baseline.classes.filter(({ reference }) => reference !== null).length / baseline.classes.length / splits;
    const known = new Map<Omit<DriftObservation, 'at'>, StreamValues | null>();
    const calm = new Feed(baseline, known);
    for (let part = 0; part < Number(options.parts); part++) {
      const { alarm } = calm.observe(draw(stream).asIs);
      if (alarm === null) continue;
      falseAlarms++;
      console.error(`  false alarm: ${alarm.phrase.en}`);
      calm.guard.reset();
    }
    for (const name of names) {
      const fresh = new Feed(baseline, known);
      for (let part = 0; part < before; part++) fresh.observe(draw(stream).asIs);
      let found = Infinity;
      for (let part = 1; part <= longest; part++) {
        const state = fresh.observe(draw(stream).changed[name]);
        if (state.covered) continue;
        if (found === Infinity) found = part;
        if (part >= found + 10) break;
      }
      delays[name]!.push(found);
      const { alarm } = fresh.guard.state();
      if (alarm?.cause === causes[name]) named[name]!++;
      if (alarm !== null) off[name]!.push(Math.abs(alarm.sincePart - before - 1));
    }
  }
  alarms += falseAlarms;
  watched += splits * Number(options.parts);
  rows.push([
    path.basename(folder),
    `${String(parts.length)} / ${(100 * positioned).toFixed(0)} %`,
    ((10_000 * falseAlarms) / (splits * Number(options.parts))).toFixed(2),
    ...names.map((name) => {
      const list = delays[name]!;
      const found = list.filter(Number.isFinite).length;
      const worst = Math.max(...list);
      const typical = median(list);
      if (found === 0) return 'not found';
      return `${Number.isFinite(typical) ? String(Math.round(typical)) : '-'} (${Number.isFinite(worst) ? String(worst) : `${String(found)}/${String(splits)}`}) ${String(named[name])}/${String(found)} +-${String(Math.round(median(off[name]!)))}`;
    }),
  ]);
}
await detector?.close();
console.log(formatTable(['pack', 'good / positioned', 'false alarms per 10,000', ...names], rows));
console.log(
  'each change: median parts until found (longest, or how often found), how often named rightly, error of "since" in parts',
);
console.log(`${String(alarms)} false alarms in ${String(watched)} parts`);
