import { z } from 'zod';
import { sentenceTemplates, type SentenceKey } from '../calibration/sentences.ts';
import * as d from '../station/domain.ts';
import { command, query } from './channel.ts';
import { done } from './projects.ts';

const inProject = z.object({ projectId: d.id });

export const trainingRequest = z.object({
  projectId: d.id,
  preset: z.enum(['instant', 'embedded', 'paper-small', 'paper-base', 'paper-large']),
  engine: z.enum(['auto', 'cpu', 'cuda', 'dml', 'webgpu', 'coreml']),
  seed: z.int().min(0),
  /** Take it into use when it passes all gates. */
  activate: z.boolean(),
});

/** How well labelled pictures that nothing learns from are told apart (AUROC, 0.5 is chance), while a model learns. */
export const watchedCurve = z.object({
  /** Why there is no curve; null: there is one, or it is to come. */
  off: z.enum(['fewDefects', 'fewGood', 'noStudents', 'firstModel']).nullable(),
  /** Pictures that are looked at again and again. */
  good: z.int(),
  defects: z.int(),
  points: z.array(z.object({ part: z.enum(['memory', 'students', 'model']), step: z.int(), auroc: z.number() })),
  /** Of the finished model, over all labelled pictures it never learnt from. */
  finished: z.object({ auroc: z.number(), good: z.int(), defects: z.int() }).nullable(),
});
export type WatchedCurve = z.infer<typeof watchedCurve>;

/** A training run as the screen shows it; comes with every change as an event, too. */
export const trainingState = z.object({
  id: d.id,
  projectId: d.id,
  state: z.enum(['running', 'paused', 'cancelling', 'cancelled', 'failed', 'finished']),
  request: trainingRequest,
  startedAt: d.isoTime,
  phase: d.shortText,
  message: d.longText,
  /** Of the whole run, 0..1. */
  share: z.number().min(0).max(1),
  remainingMs: z.number().nullable(),
  imagesPerSecond: z.number().nullable(),
  losses: z.array(z.object({ step: z.int(), total: z.number(), decoder: z.number(), encoder: z.number() })),
  watched: watchedCurve.nullable().default(null),
  log: z.array(z.object({ at: d.isoTime, level: z.enum(['info', 'warning', 'error']), message: d.longText })),
  modelId: d.id.nullable(),
  error: z.object({ message: z.string(), remedy: z.string().nullable() }).nullable(),
});
export type TrainingState = z.infer<typeof trainingState>;

/** A sentence of the calibration, see `shared/calibration/sentences.ts`. */
const sentence = z.object({
  key: z.enum(Object.keys(sentenceTemplates) as [SentenceKey, ...SentenceKey[]]),
  /** Raw: rates are shares of 1. A number that is none comes as text. */
  params: z.record(z.string(), z.union([z.number(), z.string()])),
  text: d.longText,
});

/** What a gate found on the way to the line. */
export const gateResult = z.object({
  gate: z.enum(['golden', 'oldProducts', 'parity', 'latency']),
  passed: z.boolean(),
  /** In English. */
  statement: z.string(),
  /** The same, to be said in any language. */
  sentences: z.array(sentence).default([]),
  /** Pictures whose verdict changes against the active model. */
  changed: z.array(
    z.object({ sha256: d.sha256, className: d.shortText, gtLabel: d.gtLabel, before: d.verdict, after: d.verdict }),
  ),
});
export type GateResult = z.infer<typeof gateResult>;

/** Scores of labelled pictures under one model: what thresholds are set from. */
export const evidence = z.object({
  sha256: d.sha256,
  className: d.shortText,
  gtLabel: z.enum(['pass', 'fail']),
  predScore: z.number(),
  defectClass: d.shortText.nullable(),
});
export type Evidence = z.infer<typeof evidence>;

const spread = z.object({ median: z.number(), p95: z.number() });
const shadowVerdict = z.object({ predScore: z.number().nullable(), verdict: d.verdict });

/** A candidate beside the active model on live parts; what the line did is the active model's word alone. */
export const shadowState = z.object({
  projectId: d.id,
  modelId: d.id,
  activeModelId: d.id,
  state: z.enum(['running', 'complete', 'stopped']),
  startedAt: d.isoTime,
  /** Parts after which it's over, and when it is at the latest; null: not limited so. */
  parts: z.int().nullable(),
  endsAt: d.isoTime.nullable(),
  judged: z.int(),
  /** Parts that went by while the candidate was busy. */
  skipped: z.int(),
  agreeing: z.int(),
  /** Exact 95 % interval of the share of parts with different verdicts. */
  disagreementRate: z.object({ low: z.number(), high: z.number() }),
  /** Parts that only the candidate rejects, and only the active one. */
  newlyRejected: z.int(),
  newlyAccepted: z.int(),
  /** Exact two-sided McNemar test of these two: small when one model is the stricter. */
  stricterP: z.number(),
  reviews: z.object({ active: z.int(), candidate: z.int() }),
  /** Parts whose truth people gave: what each model gets wrong of them. */
  labelled: z.object({
    good: z.int(),
    defects: z.int(),
    escapes: z.object({ active: z.int(), candidate: z.int() }),
    falseRejects: z.object({ active: z.int(), candidate: z.int() }),
    /** Parts that only one of the two gets right. */
    onlyActiveRight: z.int(),
    onlyCandidateRight: z.int(),
    p: z.number(),
  }),
  candidateMs: spread.nullable(),
  /** The line's own time for a part: before and while the candidate judges. */
  line: z.object({
    before: spread.nullable(),
    during: spread.nullable(),
    cycleTimeMs: z.number().nullable(),
    /** It took longer than its cycle time (95th percentile) while the candidate judged. */
    isSlow: z.boolean(),
  }),
  /** Those that change between rejected and not first; at most 200. */
  disagreements: z.array(
    z.object({
      partId: z.int(),
      className: d.shortText,
      at: d.isoTime,
      serial: d.shortText.nullable(),
      pictureSha256: d.sha256.nullable(),
      /** What a person says it is. */
      truth: z.enum(['pass', 'fail']).nullable(),
      active: shadowVerdict,
      candidate: shadowVerdict,
    }),
  ),
});
export type ShadowState = z.infer<typeof shadowState>;

/** Training, models, gates and thresholds. */
export const trainingChannels = {
  /** What this station can train with, how long it would take, what speaks against starting. */
  'training.plan': query(
    'engineer',
    inProject,
    z.object({
      classes: z.array(z.object({ name: d.name, normal: z.int(), golden: z.int() })),
      presets: z.array(
        z.object({
          preset: trainingRequest.shape.preset,
          estimateMs: z.number(),
          available: z.boolean(),
          reason: z.string().nullable(),
        }),
      ),
      engines: z.array(
        z.object({ name: trainingRequest.shape.engine, available: z.boolean(), reason: z.string().nullable() }),
      ),
      problems: z.array(z.string()),
    }),
  ),
  'training.start': command('engineer', trainingRequest, trainingState),
  'training.pause': command('engineer', z.object({ id: d.id, paused: z.boolean() }), trainingState),
  'training.cancel': command('engineer', z.object({ id: d.id }), done),
  /** The run that is going on or the last one. */
  'training.current': query('operator', inProject, trainingState.nullable()),

  'models.list': query('operator', inProject, z.array(d.stationModel)),
  /** Takes a package made elsewhere into the project. */
  'models.import': command('engineer', z.object({ projectId: d.id, path: d.filePath }), d.stationModel),
  'models.export': command('engineer', z.object({ modelId: d.id, path: d.filePath }), done),
  'models.gates': query('engineer', z.object({ modelId: d.id }), z.array(gateResult)),
  /** Refused when a gate fails, unless a person of role `quality` overrides it with a reason. */
  'models.activate': command(
    'engineer',
    z.object({
      modelId: d.id,
      override: z.object({ reason: d.longText }).nullable(),
      secret: z.string().max(200).nullable(),
    }),
    z.object({ activated: z.boolean(), gates: z.array(gateResult) }),
  ),
  'models.rollback': command(
    'engineer',
    z.object({ projectId: d.id, reason: d.longText, secret: z.string().max(200).nullable() }),
    d.stationModel,
  ),
  'models.remove': command('engineer', z.object({ modelId: d.id }), done),
  /** Ends the scoring of pictures that thresholds or gates wait for; who waits is told `cancelled`. */
  'models.cancelScoring': command('engineer', z.object({ modelId: d.id }), done),
  /** A candidate judges beside the active model, for so many parts or hours, whichever comes first. */
  'models.shadowStart': command(
    'engineer',
    z.object({
      modelId: d.id,
      parts: z.int().min(1).max(100_000).nullable(),
      hours: z.number().min(0.01).max(720).nullable(),
    }),
    shadowState,
  ),
  'models.shadowState': query('engineer', inProject, shadowState.nullable()),
  'models.shadowStop': command('engineer', inProject, shadowState.nullable()),

  /** Labelled pictures that took no part in training, with their scores; scores missing ones first. */
  'thresholds.evidence': query(
    'quality',
    z.object({ modelId: d.id }),
    z.object({ evidence: z.array(evidence), thresholds: d.thresholds, basis: d.longText, unlabelled: z.int() }),
  ),
  'thresholds.apply': command(
    'quality',
    z.object({
      modelId: d.id,
      thresholds: d.thresholds,
      basis: d.longText,
      reason: d.longText,
      secret: z.string().max(200).nullable(),
    }),
    d.stationModel,
  ),
  /** Every change of the model's thresholds, newest first. */
  'thresholds.history': query(
    'operator',
    z.object({ modelId: d.id }),
    z.array(
      z.object({ at: d.isoTime, by: d.shortText, thresholds: d.thresholds, basis: d.longText, reason: d.longText }),
    ),
  ),
};
