import type { Verdict } from '../../shared/detection.ts';

/** One part as the report shows it. `display` scores have the fail threshold at 50 and no upper end. */
export interface ReportPart {
  /** Path as the person knows it. */
  file: string;
  verdict: Verdict;
  className: string | null;
  /** One plain sentence. */
  why: string;
  display: { score: number; review: number } | null;
  predScore: number | null;
  thresholds: { review: number; fail: number } | null;
  /** Shares of the fused score, 0..1; null where the model has no such expert. */
  shares: { local: number | null; semantic: number | null; memory: number | null };
  /** Most similar good part's class and file name. */
  similar: { className: string; fileName: string } | null;
  latencyMs: number;
  /** Data URI or relative address of the picture; null when it could not be read. */
  picture: string | null;
  /** Likewise the transparent heat layer; null when nothing reaches the review threshold. */
  heat: string | null;
}

/** All that a report shows. */
export interface ReportData {
  title: string;
  /** ISO 8601. */
  createdAt: string;
  model: { fileName: string; hash: string; classes: number };
  /** Presented parts in all: the sum of the four verdicts. */
  counts: Record<Verdict, number>;
  /** Least normal first, parts without decision before all. */
  parts: ReportPart[];
  /** Sentences at the foot: where the pictures lie, attribution of the pictures. */
  notes: string[];
}
