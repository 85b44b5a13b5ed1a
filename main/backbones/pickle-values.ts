/** What the restricted pickle reader makes of a pickle: plain values, and tensors as places in the archive. */
import { UserError } from '../../shared/errors.ts';

/** Hard bounds of the reader: a hostile file can't make it work long, deep or large. */
export const pickleLimits = {
  /** Size of the pickle. A ViT-L's takes about 50 kB. */
  bytes: 4 * 1024 * 1024,
  /** Steps; a ViT-L's takes about 20,000. */
  opcodes: 300_000,
  /** Open marks, which is how deep values are nested while they are built. */
  depth: 64,
  memo: 300_000,
  textBytes: 65_536,
} as const;

/** A name the pickle refers to, e.g. `torch.FloatStorage`. */
export class PickleGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A tensor's place in one of the file's storages; counts are elements. */
export interface PickledTensor {
  readonly kind: 'tensor';
  /** Type of the storage as PyTorch names it, e.g. `FloatStorage`. */
  readonly storageType: string;
  /** Member of the archive that holds the storage. */
  readonly storageKey: string;
  readonly storageSize: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** One of the archive's storages. */
export interface PickledStorage {
  readonly kind: 'storage';
  readonly type: string;
  readonly key: string;
  readonly size: number;
}

/** A tuple, apart from lists because only lists can grow. */
export interface PickledTuple {
  readonly kind: 'tuple';
  readonly items: readonly PickleValue[];
}

export interface PickledList {
  readonly kind: 'list';
  readonly items: PickleValue[];
}

/** A dict, plain or ordered. */
export interface PickledTable {
  readonly kind: 'table';
  readonly items: Map<string | number, PickleValue>;
}

export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleGlobal
  | PickledTensor
  | PickledStorage
  | PickledTuple
  | PickledList
  | PickledTable;

/** Builds the error for a file that is no plain weight file. */
export function refused(
  name: string,
  what: string,
  remedy = 'Fetch the file again, or use the safetensors form.',
): UserError {
  return new UserError('torchFileInvalid', `${name} is not a PyTorch weight file that can be read: ${what}.`, remedy);
}

export function isKind<Kind extends 'tensor' | 'storage' | 'tuple' | 'list' | 'table'>(
  value: PickleValue | undefined,
  kind: Kind,
): value is Extract<PickleValue, { kind: Kind }> {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}

export function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

export function isCounts(value: PickleValue | undefined): value is PickledTuple {
  return isKind(value, 'tuple') && value.items.every(isCount);
}

/**
 * The tensors of nested tables by name, names of inner tables joined with dots. Everything else is left out.
 * @throws UserError `torchFileInvalid` for tables nested deeper than 8 or within themselves, or more than 100,000 values
 */
export function namedTensors(value: PickleValue, name: string): Map<string, PickledTensor> {
  const found = new Map<string, PickledTensor>();
  let visited = 0;
  const visit = (at: PickleValue, key: string, depth: number): void => {
    visited += 1;
    if (visited > 100_000 || key.length > 1000) throw refused(name, 'it holds more than any network has');
    if (isKind(at, 'tensor')) found.set(key, at);
    if (!isKind(at, 'table')) return;
    if (depth > 8) throw refused(name, 'its tables are nested too deep');
    for (const [word, inner] of at.items) visit(inner, key === '' ? String(word) : `${key}.${word}`, depth + 1);
  };
  visit(value, '', 0);
  return found;
}
