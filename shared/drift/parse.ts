import { z } from 'zod';
import { UserError } from '../errors.ts';
import { driftStreams, thumbnailSide, type DriftBaseline } from './types.ts';

const stream = z
  .strictObject({
    count: z.int().min(1),
    centre: z.number(),
    spread: z.number().positive(),
    levels: z
      .array(z.strictObject({ rate: z.number().gt(0).lt(1), low: z.number(), high: z.number() }))
      .min(1)
      .max(10),
    values: z.array(z.number()).max(100_000),
  })
  .nullable();

const schema = z.strictObject({
  format: z.literal('twinspect-drift-baseline-2'),
  modelHash: z.string().max(200),
  createdAt: z.string().max(100),
  confidence: z.number().gt(0).lt(1),
  classes: z
    .array(
      z.strictObject({
        className: z.string().max(200),
        count: z.int().min(1),
        reference: z
          .array(z.number())
          .length(thumbnailSide * thumbnailSide)
          .nullable(),
        streams: z.record(z.enum(driftStreams), stream),
        levelsFrom: z.enum(['class', 'allClasses']),
      }),
    )
    .min(1)
    .max(10_000),
  cameraSettings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullable(),
});

/**
 * Reads a baseline from JSON text.
 * @param name what the message calls it
 * @throws UserError `driftBaseline`
 */
export function parseDriftBaseline(text: string, name: string): DriftBaseline {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(name, 'it is not JSON', cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(name, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, parsed.error);
  }
  return parsed.data;
}

function invalid(name: string, why: string, cause: unknown): UserError {
  return new UserError(
    'driftBaseline',
    `"${name}" is no drift baseline: ${why}.`,
    'Make it anew with "drift baseline".',
    { cause },
  );
}
