import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { ShadowPart } from '../../shared/calibration/shadow.ts';
import { verdict } from '../../shared/station/domain.ts';

/** What a comparison is about; the first line of its file. */
const head = z.object({
  modelId: z.string().min(1),
  activeModelId: z.string(),
  /** When it's over: whichever comes first. */
  parts: z.number().nullable(),
  hours: z.number().nullable(),
  /** ISO 8601. */
  startedAt: z.string(),
  /** The line before the candidate came, milliseconds; null: not known. */
  lineBefore: z.object({ median: z.number(), p95: z.number() }).nullable(),
});
export type ShadowHead = z.infer<typeof head>;

// JSON has no NaN: a score that isn't there is null.
const scored = z
  .object({ predScore: z.number().nullable(), verdict })
  .transform((given) => ({ ...given, predScore: given.predScore ?? NaN }));
const line = z.union([
  z.object({
    part: z.object({ id: z.string(), className: z.string(), at: z.string(), active: scored, candidate: scored }),
    skipped: z.number(),
    candidateMs: z.number(),
  }),
  z.object({ state: z.enum(['running', 'complete', 'stopped']) }),
  z.object({ slow: z.literal(true) }),
]);

export interface Shadow {
  head: ShadowHead;
  state: 'running' | 'complete' | 'stopped';
  parts: ShadowPart[];
  /** Parts that went by while the candidate was busy. */
  skipped: number;
  /** What the candidate took for each part, newest last. */
  candidateMs: number[];
  /** The line took longer than its cycle time while the candidate judged. */
  isSlow: boolean;
}

/** What is added to a comparison's file. */
export type ShadowLine =
  { part: ShadowPart; skipped: number; candidateMs: number } | { state: Shadow['state'] } | { slow: true };

/** A comparison on the disk, line by line, so that it outlives whatever stops. One per project; the next replaces it. */
export class ShadowFile {
  readonly #folder: string;

  constructor(stationFolder: string) {
    this.#folder = path.join(stationFolder, 'shadow');
  }

  begin(projectId: string, begun: ShadowHead): Shadow {
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(this.#path(projectId), `${JSON.stringify(begun)}\n`);
    return fresh(begun);
  }

  append(projectId: string, added: ShadowLine): void {
    try {
      appendFileSync(this.#path(projectId), `${JSON.stringify(added)}\n`);
    } catch {
      // A full disk must not stop the line for a comparison; it goes on in memory.
    }
  }

  /** Null: there is none. A line that a stop tore counts for nothing. */
  read(projectId: string): Shadow | null {
    const file = this.#path(projectId);
    if (!existsSync(file)) return null;
    const text = readFileSync(file, 'utf8');
    const [first, ...rest] = text.split('\n');
    const begun = head.safeParse(parsed(first ?? ''));
    if (!begun.success) return null;
    const shadow = fresh(begun.data);
    for (const one of rest) {
      const found = line.safeParse(parsed(one));
      if (found.success) add(shadow, found.data);
    }
    // What comes next must not be appended to the torn line.
    if (!text.endsWith('\n')) appendFileSync(file, '\n');
    return shadow;
  }

  #path(projectId: string): string {
    return path.join(this.#folder, `${projectId}.jsonl`);
  }
}

/** Takes a line into a comparison. */
export function add(shadow: Shadow, added: ShadowLine): void {
  if ('state' in added) shadow.state = added.state;
  else if ('slow' in added) shadow.isSlow = true;
  else {
    shadow.parts.push(added.part);
    shadow.skipped = added.skipped;
    shadow.candidateMs.push(added.candidateMs);
  }
}

function fresh(begun: ShadowHead): Shadow {
  return { head: begun, state: 'running', parts: [], skipped: 0, candidateMs: [], isSlow: false };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
