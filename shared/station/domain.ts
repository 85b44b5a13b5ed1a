/**
 * The station's nouns, as zod schemas: the database, the messages between processes and the screens use the same ones.
 * Times are ISO 8601 in UTC; ids of parts are whole numbers that grow, all other ids are short random texts.
 */
import { z } from 'zod';
import { unknownClassCheck } from '../calibration/unknown-limit.ts';
import { verdicts } from '../detection.ts';
import { driftCauses } from '../drift/types.ts';

export const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
export const isoTime = z.string().max(40);
/** As long as the name of any file or folder: serials and lots may be one. */
export const shortText = z.string().max(260);
export const longText = z.string().max(4000);
/** A file or folder of this computer, whole: what a relative path means would depend on where the program was started. */
export const filePath = z
  .string()
  .max(4096)
  .regex(/^(?:\/|[A-Za-z]:[\\/]|\\\\)[^\0]*$/, 'A whole path is needed, such as "/data/line 1" or "D:\\line 1".');
export const name = z.string().trim().min(1).max(120);
const share = z.number().min(0).max(1);
const score = z.number().nullable();

/** Each role may do what the ones before it may. Without accounts everybody is `administrator`. */
export const roles = ['operator', 'engineer', 'quality', 'administrator'] as const;
export const role = z.enum(roles);
export type Role = z.infer<typeof role>;

export const user = z.object({ id, name, role, language: shortText.nullable(), disabled: z.boolean() });
export type User = z.infer<typeof user>;

/** Where in a picture a person drew something; 0..1 of width and height, origin top left. */
export const point = z.object({ x: share, y: share });
export const rectangle = z.object({ shape: z.literal('rectangle'), x: share, y: share, width: share, height: share });
export const polygon = z.object({ shape: z.literal('polygon'), points: z.array(point).min(3).max(500) });
export const region = z.discriminatedUnion('shape', [rectangle, polygon]);
export type Region = z.infer<typeof region>;

export const project = z.object({
  id,
  name,
  note: longText,
  createdAt: isoTime,
  /** Model that judges now. */
  activeModelId: id.nullable(),
  /** Model that judged before it: the one that rollback takes. */
  previousModelId: id.nullable(),
  /** Pixels per millimetre of the camera's picture, where known. */
  pxPerMm: z.number().positive().nullable(),
  /** The bundled one. */
  sample: z.boolean(),
});
export type Project = z.infer<typeof project>;

export const partClass = z.object({
  id,
  projectId: id,
  name,
  normalPictures: z.int(),
  /** Kept for the thresholds. */
  calibrationPictures: z.int(),
  goldenPictures: z.int(),
  /** Of the golden ones. */
  goldenDefects: z.int(),
});
export type PartClass = z.infer<typeof partClass>;

/** What a picture is kept for. `normal`: trained on; `golden`: never trained on; `inspected`: a judged part's. */
export const pictureUses = ['normal', 'calibration', 'golden', 'inspected'] as const;
export const pictureUse = z.enum(pictureUses);
export type PictureUse = z.infer<typeof pictureUse>;

export const gtLabels = ['pass', 'fail', 'unsure'] as const;
export const gtLabel = z.enum(gtLabels);
export type GtLabel = z.infer<typeof gtLabel>;

/** A person's answer about one picture. Never overwritten: a later one names the one it replaces. */
export const label = z.object({
  id: z.int(),
  sha256,
  projectId: id,
  gtLabel,
  defectClass: shortText.nullable(),
  regions: z.array(region).max(100),
  by: shortText,
  at: isoTime,
  why: longText.nullable(),
  replaces: z.int().nullable(),
});
export type Label = z.infer<typeof label>;

export const picture = z.object({
  sha256,
  projectId: id,
  classId: id.nullable(),
  use: pictureUse,
  fileName: shortText,
  widthPx: z.int(),
  heightPx: z.int(),
  addedAt: isoTime,
  /** Lot, serial or the like: pictures of one group never end up on both sides of a split. */
  group: shortText.nullable(),
  /** Variance of the Laplacian on the prepared picture; small is blurred. */
  sharpness: z.number().nullable(),
  /** Score and verdict of the active model, where it has seen the picture. */
  predScore: score,
  gtLabel: gtLabel.nullable(),
  defectClass: shortText.nullable(),
});
export type StationPicture = z.infer<typeof picture>;

export const thresholds = z.object({ review: z.number(), fail: z.number() });

export const classMetrics = z.object({
  className: name,
  pictures: z.int(),
  defects: z.int(),
  imageAuroc: z.number().nullable(),
  falseRejectRate: z.number().nullable(),
  escapeRate: z.number().nullable(),
});
export type ClassMetrics = z.infer<typeof classMetrics>;

/** Who let a model through that gates refused, and why. Stands in every record made with it. */
export const gateOverride = z.object({
  by: shortText,
  role: shortText,
  at: isoTime,
  reason: longText,
  gates: z.array(shortText).min(1).max(20),
});
export type GateOverride = z.infer<typeof gateOverride>;

/** What of a picture is looked at: by a model, and of a part when it was judged. */
export const partGeometry = z.object({ region: region.nullable(), ignore: z.array(region).max(50) });
export type PartGeometry = z.infer<typeof partGeometry>;

export const modelStates = ['candidate', 'active', 'previous', 'retired'] as const;
export const stationModel = z.object({
  id,
  projectId: id,
  /** Counts up within the project: "model v12". */
  version: z.int(),
  state: z.enum(modelStates),
  modelHash: sha256,
  preset: shortText,
  classes: z.array(name),
  snapshotId: id,
  pictures: z.int(),
  createdAt: isoTime,
  createdBy: shortText,
  engine: shortText,
  trainingMs: z.number(),
  thresholds,
  /** Where the thresholds come from, in words. */
  basis: longText,
  /** Scores of golden and held-out pictures by class, where there are any. */
  metrics: z.array(classMetrics),
  parity: z.object({ maxAbsDifference: z.number(), verdictFlips: z.int(), pictures: z.int() }),
  note: longText,
  /** What of a picture it learned from, and looks at. */
  geometry: partGeometry,
  /** Whether parts of unknown classes are recognised, and with which false-alarm rate; absent: nobody looked. */
  unknownClass: unknownClassCheck.optional(),
  /** Set while it's in use although gates refused it. */
  override: gateOverride.nullable().optional(),
});
export type StationModel = z.infer<typeof stationModel>;

/** Where parts come from. */
export const feedSource = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('folder'),
    path: z.string().min(1).max(4096),
    /** What happens to a judged file. */
    originals: z.enum(['keep', 'move']),
    /** What a sub-folder's name means. */
    subFolder: z.enum(['none', 'class', 'lot']),
    /** Pattern with {serial}, {lot}, {class} and * as wildcards, e.g. `{lot}_{serial}.png`; empty: none. */
    namePattern: shortText,
  }),
  z.object({
    kind: z.literal('camera'),
    /** Name of the device as the system tells it; empty: the first one. */
    deviceLabel: shortText,
    widthPx: z.int().min(160).max(8192),
    heightPx: z.int().min(120).max(8192),
    frameRate: z.number().min(1).max(240),
    /** `still`: a part is in view and nothing moves. */
    trigger: z.enum(['key', 'timer', 'still']),
    timerMs: z.int().min(50).max(3_600_000),
    /** Device settings held fast: name to value, as the device names them. */
    locked: z.record(shortText, z.union([z.number(), z.string(), z.boolean()])),
  }),
  z.object({ kind: z.literal('http'), url: z.url().max(2000), intervalMs: z.int().min(50).max(3_600_000) }),
  /** Pictures of a folder again and again, as if a line ran. */
  z.object({ kind: z.literal('replay'), path: z.string().min(1).max(4096), intervalMs: z.int().min(0).max(60_000) }),
]);
export type FeedSource = z.infer<typeof feedSource>;

/** What the station runs for a project: feed, region, outputs. The thresholds are the model's. */
export const recipe = z.object({
  id,
  projectId: id,
  name,
  source: feedSource,
  /** Part of the picture that is looked at; null: all of it. Holds for models that are trained from then on. */
  region: region.nullable(),
  /** What is left out of it. */
  ignore: z.array(region).max(50),
  /** Folder for sorted copies, CSV lines; null: the database only. */
  outputFolder: z.string().max(4096).nullable(),
  /** The line's time per part; null: not stated. */
  cycleTimeMs: z.number().positive().nullable(),
  lot: shortText,
  updatedAt: isoTime,
});
export type Recipe = z.infer<typeof recipe>;

export const verdict = z.enum(verdicts);

/** The drift guard's alarm that stood when a part was judged: the calibration no longer covered it. */
export const partDrift = z.object({ alarmId: z.int().nullable(), cause: z.enum(driftCauses) });
export type PartDrift = z.infer<typeof partDrift>;

/** Shares of the score, 0..1, together 1; null where the model has no such expert. */
export const shares = z.object({ local: share.nullable(), semantic: share.nullable(), memory: share.nullable() });
export type PartShares = z.infer<typeof shares>;

/** A place in the picture: 0..1 of width and height, and the pixels around it that reach the threshold it crossed. */
export const hottest = z.object({ x: share, y: share, areaPx: z.number().min(0) });
export type HottestPlace = z.infer<typeof hottest>;

/** A part as the history lists it. */
export const part = z.object({
  id: z.int(),
  projectId: id,
  /** Where it came from: file or camera. */
  source: z.string().max(4096),
  serial: shortText.nullable(),
  lot: shortText.nullable(),
  station: shortText,
  shift: shortText.nullable(),
  className: shortText.nullable(),
  presentedAt: isoTime,
  /** Null only while it's being judged. */
  decidedAt: isoTime.nullable(),
  verdict: verdict.nullable(),
  reason: longText.nullable(),
  predScore: score,
  localScore: score,
  semanticScore: score,
  memoryScore: score,
  /** What the score is made of; null where there is no score. */
  shares: shares.nullable(),
  /** Most suspicious place; null where there is no map, or one without any difference. */
  hottest: hottest.nullable(),
  thresholds: thresholds.nullable(),
  /** 50 is the fail threshold. */
  displayScore: score,
  latencyMs: z.number().nullable(),
  modelId: id.nullable(),
  modelHash: sha256.nullable(),
  pictureSha256: sha256.nullable(),
  /** Whether a heat map is stored for it. */
  hasHeatMap: z.boolean(),
  similarSha256: sha256.nullable(),
  /** Null: the calibration covered it. */
  drift: partDrift.nullable().optional(),
  /** Distance to the class it was taken for, and from where on it would have been of no known class. */
  classDistance: score.optional(),
  classLimit: score.optional(),
  /** Null: the whole picture. */
  geometry: partGeometry.nullable().optional(),
  /** What a person decided after it, if anyone did. */
  personVerdict: z.enum(['pass', 'fail']).nullable(),
  personName: shortText.nullable(),
  defectClass: shortText.nullable(),
});
export type StationPart = z.infer<typeof part>;

/** Counters of a shift or run. `presented` is the sum of the four verdicts plus parts still being judged. */
export const counters = z.object({
  presented: z.int(),
  pass: z.int(),
  fail: z.int(),
  review: z.int(),
  noDecision: z.int(),
  /** Parts in review that nobody has answered yet. */
  waitingForReview: z.int(),
});
export type StationCounters = z.infer<typeof counters>;

export const event = z.object({
  seq: z.int(),
  at: isoTime,
  actor: shortText,
  role: shortText,
  action: shortText,
  subject: z.string().max(4096),
  details: longText,
  hash: shortText,
});
export type StationEventRow = z.infer<typeof event>;
