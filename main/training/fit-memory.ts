import { matrixOf, type Matrix } from '../../shared/linear-algebra.ts';
import { createRandom } from '../../shared/random.ts';
import { bankNames, type BankName, type FittedBank, type FittedMemory } from '../detector/fitted-model.ts';
import type { FeatureSizes } from '../detector/embedded-features.ts';
import { statisticsTensors } from '../detector/model-tensors.ts';
import { evenlySpaced, standardise, usesRawDistances, type Standardisation } from '../memory/calibrate.ts';
import { fitClassInference, type ClassInference } from '../memory/class-inference.ts';
import { createCandidateCollector, type Coreset } from '../memory/coreset.ts';
import { memoryDefaults } from '../memory/defaults.ts';
import { fitGaussians, halfLog, type Gaussian } from '../memory/gaussian.ts';
import { createLeaveOneOut, type LocalStatistics } from '../memory/leave-one-out.ts';
import { classVariety } from '../memory/variety.ts';
import { makeSearchIndex, type SearchIndex, type SearchMode } from '../memory/search-bank.ts';
import { deviationMap, mapMaximum, memoryMap, smooth3, tokenDeviation } from '../nn/normal-memory.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto, type TraceInput } from '../onnx/tracing-backend.ts';
import { kCentreInWorker } from '../runtime/k-centre-worker.ts';
import { openSession, type GraphSession, type SessionOptions, type TensorData } from '../runtime/session.ts';
import { BankSearch, type SearchResult } from './bank-search.ts';
import type { FeatureStore } from './feature-store.ts';
import type { RunClass } from './snapshot.ts';
import type { PictureTokens, Teacher } from './teacher.ts';

/** Descriptor width for "which normal part does this look like". */
const descriptorDims = 64;
/** The banks must not share random directions. */
const bankSeedStep = 1000;

export interface MemoryFitOptions {
  seed: number;
  session: SessionOptions;
  /** How the finished model searches. The leave-one-out statistics are of the exact search in any case. */
  search: SearchMode;
  signal: AbortSignal;
  /** Shares of the whole fit done, 0..1, with a word on what is going on. */
  onProgress: (share: number, doing: string) => void;
}

/** Token search of one calibration picture in both banks. */
interface PictureSearch {
  classIndex: number;
  found: Record<BankName, SearchResult>;
}

/**
 * Fits the normal memory (embedded-recipe sections 3 to 6 and 9): two coresets, leave-one-out statistics, one
 * Gaussian per class, class inference. Ready in seconds; nothing here needs the students.
 */
export async function fitMemory(
  classes: readonly RunClass[],
  teacher: Teacher,
  store: FeatureStore,
  options: MemoryFitOptions,
): Promise<FittedMemory> {
  const { sizes } = teacher;
  const coresets = await chooseCoresets(classes, teacher, store, options);
  const index = overBanks((bank) => makeSearchIndex(coresets[bank], options.search));
  const searches = await searchCalibrationPictures(classes, teacher, store, index, options);
  const raw = classes.map(({ split }) => usesRawDistances(split.training.length));
  const banks = overBanks((bank): FittedBank => {
    const collect = createLeaveOneOut(index[bank].entryClass, classes.length);
    for (const { classIndex, found } of searches.own) {
      collect.add(classIndex, found[bank].distance, found[bank].index);
    }
    return { ...collect.finish(raw), index: index[bank] };
  });
  const localScores = classes.map((): number[] => []);
  const coarseScores = classes.map((): number[] => []);
  const scorer = await MapScorer.open(banks, sizes, options.session);
  try {
    for (const search of [...searches.own, ...searches.heldOut].filter(isComplete)) {
      const { local, coarse } = await scorer.score(search);
      localScores[search.classIndex]!.push(local);
      coarseScores[search.classIndex]!.push(coarse);
    }
  } finally {
    await scorer.close();
  }

  options.onProgress(0.95, 'Fitting the whole-part statistics');
  const normals = classes.map(({ pictures }) => pictures);
  const whole = await fitWhole(await vectorsOf(normals, store, teacher.globalPart, sizes.globalDims));
  const head = await fitWhole(await vectorsOf(normals, store, teacher.headPart, teacher.shapes.head));
  const classVectors = await vectorsOf(normals, store, teacher.classPart, sizes.classDims);
  const classInference = fitClassInference(classVectors);
  options.onProgress(1, 'The memory is ready');
  return {
    ...banks,
    gaussians: whole.gaussians,
    headGaussians: head.gaussians,
    classInference,
    variety: Float32Array.from(classVectors, classVariety),
    localScore: standardise(localScores),
    coarseScore: standardise(coarseScores),
    globalScore: whole.score,
    headScore: head.score,
    descriptors: describeNormals(classVectors, classInference, options.seed),
  };
}

/** Sections 3.1 and 3.2: the most telling patches of every picture, then the ones that cover all of them. */
async function chooseCoresets(
  classes: readonly RunClass[],
  teacher: Teacher,
  store: FeatureStore,
  { seed, signal, onProgress }: MemoryFitOptions,
): Promise<Record<BankName, Coreset[]>> {
  const dims = tokenDims(teacher);
  const collectors = overBanks((bank, i) =>
    classes.map(() => createCandidateCollector(dims[bank], seed + i * bankSeedStep)),
  );
  const jobs = classes.flatMap(({ pictures, split }, classIndex) =>
    split.training.map((position) => ({ classIndex, picture: pictures[position]! })),
  );
  const tokensOf = tokensAhead(
    jobs.map(({ picture }) => picture),
    teacher,
    store,
  );
  for (const [i, { classIndex, picture }] of jobs.entries()) {
    signal.throwIfAborted();
    const tokens = await tokensOf(i);
    for (const bank of bankNames) {
      const rows = tokens[bank].length / dims[bank];
      collectors[bank][classIndex]!.add(matrixOf(rows, dims[bank], tokens[bank]), classIndex, picture);
    }
    onProgress((0.3 * (i + 1)) / jobs.length, 'Choosing telling patches');
  }
  onProgress(0.3, 'Choosing what to remember');
  const pick = (points: Matrix, count: number): Promise<Int32Array> => kCentreInWorker(points, count, signal);
  const sizes = bankSizes(classes.length);
  const coresets = await Promise.all(
    bankNames.map((bank) => buildAll(collectors[bank], (collector) => collector.buildWith(pick, sizes[bank]))),
  );
  return overBanks((_, i) => coresets[i]!);
}

/** Entries per class and bank. With many classes each gets less, so that a model stays small enough to ship. */
function bankSizes(classCount: number): Record<BankName, number> {
  const share = Math.max(memoryDefaults.bankSizeMin, Math.floor(memoryDefaults.bankTotal / classCount));
  return overBanks((bank) => Math.min(memoryDefaults.bankSize[bank], share));
}

/** Builds one after the other: the banks run side by side already. */
async function buildAll<C, R>(collectors: readonly C[], build: (collector: C) => Promise<R>): Promise<R[]> {
  const out: R[] = [];
  for (const collector of collectors) out.push(await build(collector));
  return out;
}

/** Section 4: some training pictures search without their own entries, held-out ones as they are. */
async function searchCalibrationPictures(
  classes: readonly RunClass[],
  teacher: Teacher,
  store: FeatureStore,
  index: Record<BankName, SearchIndex>,
  { session, signal, onProgress }: MemoryFitOptions,
): Promise<{ own: PictureSearch[]; heldOut: PictureSearch[] }> {
  const jobs = classes.flatMap(({ pictures, split }, classIndex) => [
    ...evenlySpaced(split.training.length, memoryDefaults.calibrationPictures).map((i) => ({
      classIndex,
      picture: pictures[split.training[i]!]!,
      own: true,
    })),
    ...split.heldOut.map((i) => ({ classIndex, picture: pictures[i]!, own: false })),
  ]);
  const open: BankSearch[] = [];
  const results: { own: PictureSearch[]; heldOut: PictureSearch[] } = { own: [], heldOut: [] };
  try {
    const searches = await eachBank(async (bank) => {
      const search = await BankSearch.open(index[bank], tokenCount(teacher, bank), session);
      open.push(search);
      return search;
    });
    const tokensOf = tokensAhead(
      jobs.map(({ picture }) => picture),
      teacher,
      store,
    );
    for (const [i, { classIndex, picture, own }] of jobs.entries()) {
      signal.throwIfAborted();
      const tokens = await tokensOf(i);
      const found = await eachBank((bank) =>
        searches[bank].search(tokens[bank], classIndex, own ? picture : undefined),
      );
      results[own ? 'own' : 'heldOut'].push({ classIndex, found });
      onProgress(0.5 + (0.45 * (i + 1)) / jobs.length, 'Learning how near good parts lie');
    }
  } finally {
    for (const search of open) await search.close();
  }
  return results;
}

/** Section 5's scores of one picture from its searches, by the functions that inspection runs. */
class MapScorer {
  readonly #session: GraphSession;

  private constructor(session: GraphSession) {
    this.#session = session;
  }

  static async open(
    banks: Record<BankName, LocalStatistics>,
    sizes: Pick<FeatureSizes, 'deepTokens' | 'fineTokens' | 'coarseTokens'>,
    options: SessionOptions,
  ): Promise<MapScorer> {
    const graph = new OnnxGraph('map-scores');
    const input = (name: string, dtype: 'float32' | 'int32', length: number): TraceInput => ({
      value: graph.input(name, dtype, [length]),
      shape: [length],
      dtype,
    });
    const scores = traceInto(
      graph,
      [
        input('classIndex', 'int32', 1),
        ...bankNames.flatMap((bank) => [
          input(`${bank}Distance`, 'float32', sizes[`${bank}Tokens`]),
          input(`${bank}Entry`, 'int32', sizes[`${bank}Tokens`]),
        ]),
      ],
      (classIndex, ...found) => {
        const deviations = overBanks((bank, i) => {
          const nearest = { distance: found[2 * i]!, index: found[2 * i + 1]! };
          return tokenDeviation(nearest, classIndex!, statisticsTensors(banks[bank]));
        });
        return [
          mapMaximum(smooth3(memoryMap(deviations.deep, deviations.fine))),
          mapMaximum(smooth3(deviationMap(deviations.coarse))),
        ];
      },
    );
    graph.output('local', scores[0]!.value, 'float32', [1]);
    graph.output('coarse', scores[1]!.value, 'float32', [1]);
    return new MapScorer(await openSession(graph.toBytes(), options));
  }

  async score({ classIndex, found }: PictureSearch): Promise<{ local: number; coarse: number }> {
    const feeds: Record<string, TensorData> = {
      classIndex: { dtype: 'int32', dims: [1], data: Int32Array.of(classIndex) },
    };
    for (const bank of bankNames) {
      const { distance, index } = found[bank];
      feeds[`${bank}Distance`] = { dtype: 'float32', dims: [distance.length], data: distance };
      feeds[`${bank}Entry`] = { dtype: 'int32', dims: [index.length], data: index };
    }
    const out = await this.#session.run(feeds);
    const first = (name: string): number => (out[name]!.data as Float32Array)[0]!;
    return { local: first('local'), coarse: first('coarse') };
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

/** Memory tokens by position in a list, each one asked for while the one before is still being worked on. */
function tokensAhead(
  pictures: readonly number[],
  teacher: Teacher,
  store: FeatureStore,
): (position: number) => Promise<PictureTokens> {
  const fetch = async (position: number): Promise<PictureTokens> =>
    teacher.memoryTokens(await store.get(pictures[position]!));
  let ahead: { position: number; tokens: Promise<PictureTokens> } | undefined;
  return async (position) => {
    const tokens = ahead?.position === position ? ahead.tokens : fetch(position);
    const result = await tokens;
    ahead = undefined;
    if (position + 1 < pictures.length) {
      ahead = { position: position + 1, tokens: fetch(position + 1) };
      // A failure is met when its turn comes; until then it must not count as unhandled.
      ahead.tokens.catch(() => undefined);
    }
    return result;
  };
}

/** Whether every token found an entry: not so where a picture is the only one. */
function isComplete({ found }: PictureSearch): boolean {
  return bankNames.every((bank) => !found[bank].index.includes(-1));
}

/** One value per bank. */
function overBanks<T>(make: (bank: BankName, position: number) => T): Record<BankName, T> {
  return Object.fromEntries(bankNames.map((bank, i) => [bank, make(bank, i)])) as Record<BankName, T>;
}

/** One value per bank, one after the other. */
async function eachBank<T>(make: (bank: BankName) => Promise<T>): Promise<Record<BankName, T>> {
  const out: Partial<Record<BankName, T>> = {};
  for (const bank of bankNames) out[bank] = await make(bank);
  return out as Record<BankName, T>;
}

function tokenDims({ sizes, shapes }: Teacher): Record<BankName, number> {
  return { deep: sizes.deepDims, fine: sizes.fineDims, coarse: shapes.stage6 };
}

function tokenCount({ sizes }: Teacher, bank: BankName): number {
  return sizes[`${bank}Tokens`];
}

/** Section 6: one Gaussian per class on a vector of the whole part, and what its distance is for pictures left out. */
async function fitWhole(vectors: readonly Matrix[]): Promise<{ gaussians: Gaussian[]; score: Standardisation }> {
  // A second or two of plain arithmetic: lets progress and Cancel through first.
  await new Promise((resolve) => setImmediate(resolve));
  const { gaussians, leaveOneOut } = fitGaussians(vectors);
  return { gaussians, score: standardise(leaveOneOut.map((distances) => Float64Array.from(distances, halfLog))) };
}

/** One part of the feature vector of the given pictures, a matrix per class. */
async function vectorsOf(
  classes: readonly (readonly number[])[],
  store: FeatureStore,
  part: { from: number; to: number },
  dims: number,
): Promise<Matrix[]> {
  const out: Matrix[] = [];
  for (const pictures of classes) {
    const matrix = matrixOf(pictures.length, dims);
    for (const [row, picture] of pictures.entries()) {
      const { vector } = await store.get(picture);
      matrix.data.set(vector.subarray(part.from, part.to), row * dims);
    }
    out.push(matrix);
  }
  return out;
}

/** Short descriptors of all normal pictures: the whitened class vector, randomly projected. */
function describeNormals(
  classVectors: readonly Matrix[],
  { origin, whitening }: ClassInference,
  seed: number,
): FittedMemory['descriptors'] {
  const dims = origin.length;
  const random = createRandom(seed + bankNames.length * bankSeedStep);
  const projection = matrixOf(dims, descriptorDims);
  for (let i = 0; i < projection.data.length; i++) projection.data[i] = random.normal() / Math.sqrt(descriptorDims);
  // One matrix does both: whitening' x projection, [dims, descriptorDims]
  const both = matrixOf(dims, descriptorDims);
  for (let r = 0; r < dims; r++) {
    for (let k = 0; k < dims; k++) {
      const weight = whitening.data[r * dims + k]!;
      if (weight === 0) continue;
      for (let q = 0; q < descriptorDims; q++) {
        both.data[k * descriptorDims + q]! += weight * projection.data[r * descriptorDims + q]!;
      }
    }
  }
  const total = classVectors.reduce((sum, { rows }) => sum + rows, 0);
  const rows = matrixOf(total, descriptorDims);
  const owner = new Int32Array(total);
  let at = 0;
  classVectors.forEach((vectors, c) => {
    for (let i = 0; i < vectors.rows; i++, at++) {
      owner[at] = c;
      for (let k = 0; k < dims; k++) {
        const value = vectors.data[i * dims + k]! - origin[k]!;
        for (let q = 0; q < descriptorDims; q++) {
          rows.data[at * descriptorDims + q]! += value * both.data[k * descriptorDims + q]!;
        }
      }
    }
  });
  return { projection, rows, owner };
}
