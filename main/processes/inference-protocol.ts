/**
 * What the station and the process that judges say to each other. The process keeps nothing: whatever must outlive it
 * is written by the station before the process goes on.
 */
import type { ClassLimit } from '../../shared/calibration/unknown-limit.ts';
import type { Thresholds, Verdict } from '../../shared/detection.ts';
import type { DriftBaseline } from '../../shared/drift/types.ts';
import type { PartExplanation, SeenPicture } from '../../shared/ipc/explain.ts';
import type {
  HottestPlace,
  PartGeometry,
  PartShares,
  Recipe,
  StationCounters,
  StationPart,
} from '../../shared/station/domain.ts';
import type { PartValues } from '../store/drift.ts';
import type { EngineName } from '../detector/detector.ts';

/** A model as the process is to use it. */
export interface ModelUse {
  modelId: string;
  /** Package file. */
  path: string;
  /** The package must have this hash. */
  modelHash: string;
  /** Thresholds that a person set; null: the package's own, class by class. */
  thresholds: Thresholds | null;
  /** Limit of the class distance that the station found; absent: the package's own, where it has one. */
  unknownClass?: ClassLimit;
  /** Stands in every record made with it. */
  note?: string;
  /** What of a picture it learned, and so what it looks at. */
  geometry: PartGeometry;
  engine: EngineName;
  threads: number;
}

/** A part that was presented before and has no verdict yet. */
export interface PendingPart {
  partId: number;
  /** Where its picture is. */
  path: string;
  source: string;
  recordKey: string;
}

export interface FeedRun {
  projectId: string;
  /** Null: whole pictures, no outputs. */
  recipe: Recipe | null;
  /** False: the recipe's feed stays closed, only files handed over one by one are judged. */
  withFeed: boolean;
  model: ModelUse;
  lot: string;
  /** Parts to be judged before anything else: the process before this one, or the station, ended in their midst. */
  pending: PendingPart[];
  /** `stateKey` of files that need no second look. */
  knownFiles: string[];
  /** Decided parts that the outputs may not have heard of. */
  untold: UntoldPart[];
}

export interface UntoldPart {
  part: StationPart;
  /** Where its picture is kept; null: nowhere. */
  picturePath: string | null;
}

export interface OpenedModel {
  modelId: string;
  /** Execution provider, e.g. `cpu`. */
  provider: string;
  threads: number;
  classes: string[];
}

export interface ScoreRequest {
  model: ModelUse;
  pictures: { sha256: string; path: string }[];
}

/** A stored part whose verdict is to be explained. */
export interface ExplainRequest {
  model: ModelUse;
  /** What of the picture was looked at. */
  geometry: PartGeometry;
  path: string;
  /** The most similar good picture's file; null: not kept. */
  similarPath: string | null;
  mmPerPx: number | null;
  /** As they were applied. */
  thresholds: Thresholds;
}

export type StoredExplanation = Pick<PartExplanation, 'predScore' | 'regions' | 'counterfactuals'>;

export interface DriftBaselineRequest {
  /** A running feed's, with this model. */
  projectId: string;
  modelHash: string;
  /** Of good parts. Scores are taken of those only that the model did not learn from. */
  pictures: { path: string; sha256: string; className: string; isLearned: boolean }[];
}

export interface ScoredPicture {
  sha256: string;
  /** Null: no score could be had. */
  predScore: number | null;
  verdict: Verdict;
  /** Class the model took it for. */
  className: string | null;
  /** Distance to that class; null: none could be had. */
  classDistance: number | null;
  /** From opening the file to the verdict. */
  partMs: number;
}

/** What the process that judges answers. */
export interface InferenceMethods {
  ping(argument: object): { rssMb: number };
  shutDown(argument: object): Promise<object>;
  /** First of all: the station's folder, where pictures and heat maps go. */
  configure(argument: { folder: string }): object;
  /** Starts to judge; a run of the same project must have ended. @throws UserError when the model can't be opened */
  startRun(run: FeedRun): Promise<OpenedModel>;
  /** From the next part on; the parts on their way are judged by the model before. */
  useModel(change: { projectId: string; model: ModelUse }): Promise<OpenedModel>;
  setLot(change: { projectId: string; lot: string }): object;
  /** Ends a run once the parts on their way are judged. */
  stopRun(argument: { projectId: string }): Promise<object>;
  /** Judges parts beside the feed that the station has made durable already. */
  judgeParts(argument: { projectId: string; parts: PendingPart[] }): object;
  /** Scores pictures beside all feeds; progress comes as `scoring`. */
  score(request: ScoreRequest): Promise<ScoredPicture[]>;
  /** Beside all feeds. @throws UserError when model or picture can't be read */
  explain(request: ExplainRequest): Promise<StoredExplanation>;
  /** Beside all feeds. @throws UserError when model or picture can't be read */
  heat(request: Pick<ExplainRequest, 'model' | 'path'>): Promise<SeenPicture>;
  /** How good parts look; beside all feeds. @throws UserError `driftTooFew` */
  driftBaseline(request: DriftBaselineRequest): Promise<DriftBaseline>;
  /** From now on a run's parts are measured for comparing them with it, while the model it belongs to judges. */
  watchDrift(argument: { projectId: string; baseline: DriftBaseline }): object;
  /** A candidate judges beside a run from now on, in place of the one before. @throws UserError as `startRun` */
  startShadow(argument: { projectId: string; model: ModelUse }): Promise<object>;
  stopShadow(argument: { projectId: string }): Promise<object>;
  cancelScoring(argument: { modelId: string }): object;
  /** Comes with a port: live results of the project go over it from now on. */
  openLive(argument: { projectId: string }): object;
}

/** A part that came. */
export interface PresentedNews {
  projectId: string;
  source: string;
  recordKey: string;
  serial: string | null;
  lot: string | null;
  /** A file that can be judged again after a crash; null: there is none (camera). */
  path: string | null;
  /** `stateKey` of the file, so that it isn't read again after a restart. */
  fileState: string | null;
}

export interface PresentedAnswer {
  partId: number;
  /** Verdict that it has already; null: it's to be judged. */
  verdict: Verdict | null;
}

/** A judged part, its picture and heat map already stored. */
export interface DecidedNews {
  projectId: string;
  partId: number;
  verdict: Verdict;
  reason: string | null;
  className: string | null;
  predScore: number | null;
  localScore: number | null;
  semanticScore: number | null;
  memoryScore: number | null;
  shares: PartShares | null;
  hottest: HottestPlace | null;
  thresholds: Thresholds | null;
  latencyMs: number;
  modelId: string;
  modelHash: string;
  similarSha256: string | null;
  picture: StoredPicture | null;
  hasHeatMap: boolean;
  classDistance?: number | null;
  classLimit?: number | null;
  geometry?: PartGeometry | null;
}

/** A picture that the process put into the store's folder. */
export interface StoredPicture {
  sha256: string;
  extension: string;
  fileName: string;
  bytes: number;
  widthPx: number;
  heightPx: number;
}

export interface DecidedAnswer {
  part: StationPart;
  counters: StationCounters;
}

/** What went wrong with a feed, or that it's right again. */
export interface FeedFault {
  code: string;
  message: string;
  remedy: string | null;
}

/** A part that a candidate judged beside the model of the line. */
export interface ShadowNews {
  projectId: string;
  modelId: string;
  activeModelId: string;
  partId: number;
  className: string;
  /** ISO 8601, UTC. */
  at: string;
  active: { predScore: number | null; verdict: Verdict };
  candidate: { predScore: number | null; verdict: Verdict };
  /** What the candidate took for it. */
  candidateMs: number;
  /** Parts that went by since the last news while it was busy. */
  skipped: number;
}

/** What the station answers to the process. */
export interface StationMethods {
  /** Makes the part durable. @throws UserError `diskFull` */
  present(news: PresentedNews): PresentedAnswer;
  /** Makes the verdict durable. @throws UserError `diskFull` */
  decide(news: DecidedNews): DecidedAnswer;
  /** All sinks have heard of it. */
  told(argument: { projectId: string; partId: number }): void;
  feedFault(argument: { projectId: string; fault: FeedFault | null }): void;
  feedIdle(argument: { projectId: string; idle: boolean }): void;
  /** Numbers of a judged part for the drift guard. */
  driftValues(news: PartValues & { projectId: string; modelHash: string }): void;
  shadowed(news: ShadowNews): void;
  skipped(argument: { projectId: string; frames: number }): void;
  /** The run ended by itself: nothing more to come, or a failure. */
  runEnded(argument: { projectId: string; fault: FeedFault | null }): void;
  scoring(argument: { modelId: string; done: number; total: number }): void;
}
