import type { Lazy, Trace } from './trace.ts';

/** Arguments of one TensorFlow.js kernel call while it is traced. */
export interface KernelCall {
  readonly trace: Trace;
  /** Tensor inputs in the order given: for kernels that take a list. */
  readonly list: readonly Lazy[];
  /** A tensor input by its TensorFlow.js name. */
  input(name: string): Lazy;
  /** A tensor input that may be left out. */
  optional(name: string): Lazy | undefined;
  /** Non-tensor arguments. */
  readonly attrs: KernelAttributes;
}

/** Records what one TensorFlow.js kernel does as ONNX nodes. */
export type Kernel = (call: KernelCall) => Lazy | Lazy[];

export type KernelTable = Readonly<Record<string, Kernel>>;

/** Typed access to a kernel's attributes. */
export class KernelAttributes {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  raw(name: string): unknown {
    return this.#values[name];
  }

  number(name: string): number {
    const value = this.#values[name];
    if (typeof value !== 'number') throw new Error(`attribute ${name} is not a number`);
    return value;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string {
    return String(this.#values[name]);
  }

  numbers(name: string): number[] {
    const value = this.#values[name];
    const list: unknown[] = Array.isArray(value) ? value : ArrayBuffer.isView(value) ? [...(value as Int32Array)] : [];
    if (list.length === 0 && !Array.isArray(value)) throw new Error(`attribute ${name} is not a list`);
    return list.map(Number);
  }

  /** A number, or a pair given as one number or two. */
  pair(name: string): [number, number] {
    const value = this.#values[name];
    if (typeof value === 'number') return [value, value];
    const [first, second] = this.numbers(name);
    return [first!, second ?? first!];
  }

  /** Axes counted from the front; left out means all of them. */
  axes(name: string, rank: number): number[] {
    const value = this.#values[name];
    if (value === undefined || value === null) return Array.from({ length: rank }, (_, i) => i);
    const list = typeof value === 'number' ? [value] : this.numbers(name);
    return list.map((axis) => (axis < 0 ? axis + rank : axis));
  }
}
