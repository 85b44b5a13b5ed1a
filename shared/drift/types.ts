import type { DetectionResult } from '../detection.ts';
import type { Phrase } from '../explanation/types.ts';

/** What a camera says of itself, by the names of W3C's `MediaTrackSettings`. */
export type CameraSettings = Record<string, string | number | boolean>;

/** What is watched, one number each a part. */
export const driftStreams = [
  'brightness',
  'contrast',
  'redCast',
  'blueCast',
  'sharpness',
  'shiftX',
  'shiftY',
  'rotation',
  'likeness',
  'predScore',
  'classDistance',
] as const;
export type DriftStream = (typeof driftStreams)[number];

/** What a person can do something about. */
export const driftCauses = ['light', 'colour', 'focus', 'position', 'product', 'camera'] as const;
export type DriftCause = (typeof driftCauses)[number];

export const causeOfStream: Record<DriftStream, DriftCause> = {
  brightness: 'light',
  contrast: 'light',
  redCast: 'colour',
  blueCast: 'colour',
  sharpness: 'focus',
  shiftX: 'position',
  shiftY: 'position',
  rotation: 'position',
  likeness: 'product',
  predScore: 'product',
  classDistance: 'product',
};

/** Cheap numbers of one prepared picture, from `measurePicture`. */
export interface PictureStatistics {
  /** Mean luma, 0..255. */
  brightness: number;
  /** Standard deviation of luma over its mean: a lamp's power alone leaves it as it is. */
  contrast: number;
  /** ln of mean red over mean green, and blue over green. */
  redCast: number;
  blueCast: number;
  /** ln of the share of luma's variance that lies in the finest detail. */
  sharpness: number;
  /** `[thumbnailSide, thumbnailSide]` luma, for comparing with the class's mean picture. */
  thumbnail: Float32Array;
}

export const thumbnailSide = 48;

/** One value of a stream is compared with these, all from the calibration's good parts. */
export interface StreamBaseline {
  /** Good parts behind it. */
  count: number;
  /** Median and robust spread; values are `(value - centre) / spread`. */
  centre: number;
  spread: number;
  /**
   * Bounds, outermost first: at most the share `rate` of good parts lies beyond `low` (below) or beyond `high` (above),
   * with the baseline's confidence, whatever the distribution.
   */
  levels: { rate: number; low: number; high: number }[];
  /** The class's own values, sorted: what new ones are ranked among. */
  values: number[];
}

/** What is ordinary for one class. */
export interface ClassBaseline {
  className: string;
  count: number;
  /** Mean picture, `thumbnailSide` squared values, standardised; null where parts lie at random. */
  reference: number[] | null;
  /** `null`: not watched for this class (always equal, or no registration possible). */
  streams: Record<DriftStream, StreamBaseline | null>;
  /** Whether levels are the class's own or those of all classes together. */
  levelsFrom: 'class' | 'allClasses';
}

/** Made once from the good calibration pictures; JSON. */
export interface DriftBaseline {
  format: 'twinspect-drift-baseline-2';
  modelHash: string;
  createdAt: string;
  /** Confidence that every level's rate holds, all levels together. */
  confidence: number;
  classes: ClassBaseline[];
  /** Camera settings at calibration, where known. */
  cameraSettings: CameraSettings | null;
}

/** What the stream of one shift is allowed to do. */
export interface DriftSettings {
  /** Probability of a false alarm in one shift, all tests together. */
  falseAlarmRate: number;
  /** Parts in a shift. */
  partsPerShift: number;
  /**
   * Share of parts that may be anything at all without that being drift. The bets on levels hold up to it; those on
   * ranks hold up to a fifth of it, and lose on average up to it and beyond.
   */
  maxDefectShare: number;
}

/** One part as the guard sees it. */
export interface DriftObservation {
  statistics: PictureStatistics;
  result: Pick<DetectionResult, 'className' | 'predScore' | 'classDistance'>;
  /** ISO 8601; for "since when". */
  at?: string;
  cameraSettings?: CameraSettings;
}

/** One stream as the screen shows it. */
export interface StreamState {
  stream: DriftStream;
  /** 0 none .. 1 enough for an alarm by itself, logarithmic. */
  evidence: number;
  /** Mean of the latest parts' values in spreads from the centre, winsorised. */
  recentDeviation: number;
}

/** What has changed, since when, and by how much. */
export interface DriftAlarm {
  cause: DriftCause;
  /** Streams that speak for it, strongest first. */
  streams: DriftStream[];
  /** Part at which it was found, counted from 1. */
  foundAtPart: number;
  /** Estimated first part after the change, counted from 1, and its time where known. */
  sincePart: number;
  sinceAt: string | null;
  /** Size in the stream's unit, e.g. -20 (percent of brightness); null where it means nothing to people. */
  change: number | null;
  phrase: Phrase;
}

/** What the guard knows after the newest part. */
export interface DriftState {
  parts: number;
  /** False: the calibration no longer covers what is seen; stays so until it's reset or a new baseline comes. */
  covered: boolean;
  alarm: DriftAlarm | null;
  /** 0 none .. 1 alarm, logarithmic, of all tests together. */
  evidence: number;
  streams: StreamState[];
}
