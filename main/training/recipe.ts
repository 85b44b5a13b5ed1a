import { createHash } from 'node:crypto';
import { totalmem } from 'node:os';
import type { TrainingPhase } from '../../shared/training-events.ts';
import type { TrainingStep } from '../nn/training-step.ts';
import type { Manifest } from '../package/manifest.ts';
import type { GraphFile } from '../package/write-package.ts';
import type { TrainingEngine } from '../runtime/training-engine.ts';
import { cacheFolder, cacheLimitBytes } from './cache-folder.ts';
import { Checkpoint } from './checkpoint.ts';
import { FeatureCache } from './feature-cache.ts';
import { FeatureStore, type FeatureSource } from './feature-store.ts';
import type { PhaseReporter } from './phase-reporter.ts';
import type { TrainingRequest } from './request.ts';
import type { Snapshot } from './snapshot.ts';
import type { WatchedPicture } from './watch.ts';

/** What a run hands to its recipe. */
export interface Run {
  request: TrainingRequest;
  snapshot: Snapshot;
  /** Labelled pictures to look at on the way, see `Watch`; none: no looking. */
  watched: readonly WatchedPicture[];
  session: { provider: string; threads?: number };
  signal: AbortSignal;
  report: PhaseReporter;
  /** Starts the next phase; throws when the run was cancelled. */
  begin(phase: TrainingPhase, message: string): void;
  openEngine(step: TrainingStep, initial: ReadonlyMap<string, Float32Array>): Promise<TrainingEngine>;
  /** Steps between two checkpoints. */
  checkpointEvery: number;
}

/** What a preset makes of each part of a training run; `run.ts` has the order of the parts. */
export interface Recipe {
  /** No normal picture is held out for the thresholds. */
  readonly learnsFromAll: boolean;
  /** What can be known before any picture is read. @throws UserError when the teacher's weights are not here */
  check?(): Promise<void>;
  /** Opens the teacher. @throws UserError when its weights are missing or don't fit the preset */
  open(run: Run): Promise<Method>;
}

/** A recipe at work: the teacher is open, nothing has been learned yet. */
export interface Method {
  /** Features of the run's pictures. */
  readonly store: Pick<FeatureStore<unknown>, 'fill' | 'prepared' | 'cache'>;
  /** Learns everything behind the teacher, in phases of its own. */
  fit(): Promise<FittedMethod>;
  close(): Promise<void>;
}

/** Scores pictures of the run from their features: what the parity gate holds the finished model against. */
export interface Scorer {
  /** @param picture position in the run's list */
  score(picture: number): Promise<TrainerScore>;
  close(): Promise<void>;
}

/** Fused score and class of one picture, as the trainer sees them. */
export interface TrainerScore {
  predScore: number;
  classIndex: number;
}

/** A recipe that has learned. */
export interface FittedMethod {
  openScorer(): Promise<Scorer>;
  /** The whole detector, pictures to scores, as one ONNX graph. */
  buildGraph(): Promise<Uint8Array | GraphFile>;
  /** The same in a lower precision, where it was asked for: it goes into the package in place of the exact one. */
  readonly reduced?: { readonly precision: string; buildGraph(): Promise<Uint8Array | GraphFile> };
  /** Whether scores are in deviations of normal parts, see `calibrateRun`. */
  readonly isStandard: boolean;
  /** What the model package says of it. */
  readonly facts: MethodFacts;
  /** Of the students' training, where there was one. */
  readonly checkpoint: Checkpoint | undefined;
}

export interface MethodFacts extends Pick<Manifest, 'engine' | 'backbone' | 'inputSize' | 'attribution' | 'notes'> {
  /** Every value that the preset stands for. */
  constants: object;
}

/** Share of the machine's memory that cached features may take. */
const featureMemoryShare = 0.2;

/** The store of a teacher's features for a run: in memory as far as they fit, else in the feature cache. */
export async function openFeatureStore<Features>(
  teacher: FeatureSource<Features> & { readonly graphHash: string },
  { request, snapshot }: Pick<Run, 'request' | 'snapshot'>,
): Promise<FeatureStore<Features>> {
  const cache = new FeatureCache(cacheFolder(request.cacheDir), teacher.graphHash, teacher.layout.length, {
    precision: request.cachePrecision ?? 'full',
    limitBytes: request.cacheLimitBytes ?? cacheLimitBytes,
  });
  await cache.prune();
  const paths = snapshot.pictures.map(({ path }) => path);
  return new FeatureStore(paths, teacher, cache, totalmem() * featureMemoryShare);
}

/** The run's checkpoint file. @param settings everything beside pictures, teacher and seed that decides the weights */
export function openCheckpoint({ request, snapshot }: Run, graphHash: string, settings: object): Checkpoint {
  const defects = snapshot.defects.map(({ picture, classIndex }) => [snapshot.pictures[picture]!.sha256, classIndex]);
  const heldOut = snapshot.classes.map(({ split }) => split.heldOut);
  const weightsDependOn = [snapshot.hash, graphHash, request.seed, settings, defects, heldOut];
  const fingerprint = createHash('sha256').update(JSON.stringify(weightsDependOn)).digest('hex');
  return new Checkpoint(`${request.out}.checkpoint`, fingerprint, request.resume);
}
