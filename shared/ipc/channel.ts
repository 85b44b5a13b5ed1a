import type { z } from 'zod';
import type { Role } from '../station/domain.ts';

/** One thing the window may ask of the station. Input and output are parsed on both sides. */
export interface Channel<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  /** `query` changes nothing; a `command` may. */
  readonly kind: 'query' | 'command';
  /** The least role that may ask. */
  readonly role: Role;
  readonly input: I;
  readonly output: O;
}

export function query<I extends z.ZodType, O extends z.ZodType>(role: Role, input: I, output: O): Channel<I, O> {
  return { kind: 'query', role, input, output };
}

export function command<I extends z.ZodType, O extends z.ZodType>(role: Role, input: I, output: O): Channel<I, O> {
  return { kind: 'command', role, input, output };
}

/** What every call comes back as: errors are values, with the words a person reads. */
export type Result<T> = { ok: true; value: T } | { ok: false; error: StationError };

export interface StationError {
  /** Short camelCase word, stable; `internal` for a defect of the program. */
  code: string;
  message: string;
  remedy?: string;
}
