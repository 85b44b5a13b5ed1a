import { z } from 'zod';
import { unknownClassThreshold, type UnknownClassThreshold } from './unknown-class.ts';

/** What `judge` needs of a limit. */
export type ClassLimit = Pick<UnknownClassThreshold, 'value' | 'scales' | 'otherScale'>;

const rate = z.number().min(0).max(1);

/** A limit of the class distance as a model keeps it. */
const keptLimit = z.object({
  value: z.number(),
  scales: z.record(z.string().max(200), z.number().positive()).optional(),
  otherScale: z.number().positive().optional(),
  /** Upper bound of the share of parts of known classes beyond it, at `confidence`. */
  falseAlarmRate: rate,
  confidence: rate,
  /** Good parts behind it that took no part in training. */
  normals: z.int().min(1),
});

/** Whether a model's parts are checked for unknown classes, and how sure that is, or why they are not. */
export const unknownClassCheck = z.object({ limit: keptLimit.nullable(), statement: z.string().max(4000) });
export type UnknownClassCheck = z.infer<typeof unknownClassCheck>;

const packaged = z.object({
  unknownClass: keptLimit.extend({ ok: z.literal(true), statement: z.object({ text: z.string().max(4000) }) }),
});

/**
 * A limit that was not proven for 1 % is still used when at most this share of known parts can be beyond it: from 59 good
 * parts on. Reviewing some good parts more is the price of looking at strangers.
 */
const worstFalseAlarmRate = 0.05;
/** Good parts without which no limit can be had. */
export const fewestForUnknown = 59;

/** The limit that a package's calibration data hold; undefined when they hold none. Anything may stand in a package. */
export function packagedUnknownClass(calibration: unknown): UnknownClassCheck | undefined {
  const found = packaged.safeParse(calibration);
  if (!found.success) return undefined;
  const { statement, ...limit } = found.data.unknownClass;
  return { limit: keptLimit.parse(limit), statement: statement.text };
}

/** The limit that good parts give which took no part in training. */
export function unknownClassOf(
  parts: readonly { className: string | null; classDistance: number | null }[],
): UnknownClassCheck {
  const known = parts.flatMap(({ className, classDistance }) =>
    className === null || classDistance === null ? [] : [{ className, classDistance }],
  );
  const found = unknownClassThreshold(
    known.map(({ classDistance }) => classDistance),
    { classNames: known.map(({ className }) => className) },
  );
  const threshold = found.ok ? found : found.reachable;
  if (threshold === null || threshold.falseAlarmRate > worstFalseAlarmRate || !Number.isFinite(threshold.value)) {
    const why = found.ok ? '' : ` ${found.reason.text}`;
    return { limit: null, statement: `Parts of unknown classes are not recognised.${why}` };
  }
  return { limit: keptLimit.parse(threshold), statement: threshold.statement.text };
}

/** @returns undefined where classes are not checked */
export function classLimitOf(check: UnknownClassCheck | null | undefined): ClassLimit | undefined {
  const limit = check?.limit;
  if (limit === null || limit === undefined) return undefined;
  const { value, scales, otherScale } = limit;
  return { value, ...(scales !== undefined && { scales }), ...(otherScale !== undefined && { otherScale }) };
}
