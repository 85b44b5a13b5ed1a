import { createHash } from 'node:crypto';
import type { Thresholds, Verdict } from '../../shared/detection.ts';

/** Time each stage took, milliseconds. */
export interface StageTimings {
  /** Reading the file and decoding it. */
  decodeMs: number;
  /** Region, resize. */
  prepareMs: number;
  /** The detector's run. */
  detectMs: number;
}

/**
 * What is known of one part for good. The first eight fields are the command line's fixed JSON form; scores are null
 * where there is none (no decision, or the model has no such expert).
 */
export interface InspectionRecord {
  /** Path as the person knows it. */
  file: string;
  className: string | null;
  verdict: Verdict;
  predScore: number | null;
  localScore: number | null;
  semanticScore: number | null;
  memoryScore: number | null;
  /** From opening the file to the verdict, without waiting for other parts. */
  latencyMs: number;
  /** Why there is no decision, or why it isn't the score's alone; and what stands beside every verdict of the model. */
  reason?: string;
  /** Thresholds that were applied. */
  thresholds?: Thresholds;
  /** Distance to the nearest class. */
  classDistance?: number;
  /** From this class distance on the part was taken for one of no known class. */
  classLimit?: number;
  /** Most similar good part of the model's normal set. */
  similar?: { className: string; fileName: string };
  timings: StageTimings;
  /** The same file with the same content has the same id, whenever and however often it's presented. */
  id: string;
  /** sha256 of the file; absent when it could not be read. */
  contentHash?: string;
  modelHash: string;
  /** ISO 8601, UTC. */
  inspectedAt: string;
}

/** 32 hex digits from path and content; output sinks use it to tell a repeated delivery from a new part. */
export function recordId(file: string, contentHash: string): string {
  return createHash('sha256').update(file).update('\0').update(contentHash).digest('hex').slice(0, 32);
}

/** JSON has no NaN: a score that isn't there is null. */
export function scoreOrNull(score: number): number | null {
  return Number.isFinite(score) ? score : null;
}

/** Counters of a run: `presented` is always the sum of the four verdicts once a run has ended. */
export interface Counters extends Record<Verdict, number> {
  presented: number;
}

export function emptyCounters(): Counters {
  return { presented: 0, pass: 0, fail: 0, review: 0, noDecision: 0 };
}
