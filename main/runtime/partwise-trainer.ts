import * as ort from 'onnxruntime-node';
import { openOrtSession, type OrtSession, type SessionOptions } from './ort-session.ts';
import {
  checkState,
  elementCount,
  graphName,
  shapeKey,
  type EngineDescription,
  type StepTensor,
} from './training-engine.ts';

/** Everything a partwise trainer needs, as it crosses into the worker thread. */
export interface PartwisePlan {
  readonly graphs: {
    /** Parameters, the inputs of one part and the sums in; the sums with that part's added out. */
    readonly add: Uint8Array;
    /** Sums in, the scalars that the step reports out. */
    readonly report: Uint8Array;
    /** By `shapeKey`: one parameter with what belongs to it, its sum and scalars in; the same moved out. */
    readonly move: ReadonlyMap<string, Uint8Array>;
  };
  readonly count: number;
  readonly cut: readonly string[];
  readonly params: number;
  readonly state: readonly StepTensor[];
  readonly sums: readonly StepTensor[];
  readonly inputs: readonly StepTensor[];
  readonly outputs: readonly StepTensor[];
  readonly initial: ReadonlyMap<string, Float32Array>;
  readonly session: SessionOptions;
}

type Feeds = Record<string, ort.Tensor>;

/**
 * Runs a step in its parts with as little memory as can be: the state is there once and changed where it lies, tensor by
 * tensor; beside it there are one sum of gradients and what one part of the batch needs. In the memory of the processor
 * only. For large models it's as fast as the step in one run, for small ones the many runs cost time.
 */
export class PartwiseTrainer {
  readonly #plan: PartwisePlan;
  readonly #add: OrtSession;
  readonly #report: OrtSession;
  readonly #move: ReadonlyMap<string, OrtSession>;
  readonly #state = new Map<string, ort.Tensor>();
  readonly #sums: ReadonlyMap<string, ort.Tensor>;

  private constructor(plan: PartwisePlan, add: OrtSession, report: OrtSession, move: ReadonlyMap<string, OrtSession>) {
    // The initial state's arrays may be replaced: they must not stay for good.
    this.#plan = { ...plan, initial: new Map() };
    this.#add = add;
    this.#report = report;
    this.#move = move;
    this.#sums = new Map(
      plan.sums.map(({ name, shape }) => [name, tensor(new Float32Array(elementCount(shape)), shape)]),
    );
    this.writeState(plan.initial);
  }

  static async open(plan: PartwisePlan): Promise<PartwiseTrainer> {
    const { add, report, move } = plan.graphs;
    const open = (model: Uint8Array): Promise<OrtSession> => openOrtSession(model, plan.session);
    const moves = new Map<string, OrtSession>();
    for (const [key, model] of move) moves.set(key, await open(model));
    return new PartwiseTrainer(plan, await open(add), await open(report), moves);
  }

  describe(): EngineDescription {
    const { provider, reason, threads } = this.#add.description;
    const engine = `onnxruntime ${ort.env.versions.node ?? ''}`.trim();
    return { engine, provider, reason, threads, mode: 'partwise', stepsPerRun: 1 };
  }

  /** Runs `steps` steps on stacked inputs `[steps, ...]` and returns each step's scalars. */
  async runSteps(
    steps: number,
    inputs: Readonly<Record<string, Float32Array>>,
  ): Promise<{ scalars: Record<string, number>[]; description: EngineDescription }> {
    const scalars: Record<string, number>[] = [];
    for (let step = 0; step < steps; step += 1) scalars.push(await this.#step(step, inputs));
    return { scalars, description: this.describe() };
  }

  /** A copy of the state, or of the tensors named. */
  readState(names?: readonly string[]): Map<string, Float32Array> {
    return copyOf(this.#state, names);
  }

  /** The arrays become the state as they are, and change from then on. */
  writeState(state: ReadonlyMap<string, Float32Array>): void {
    checkState(this.#plan.state, state);
    for (const { name, shape } of this.#plan.state) this.#state.set(name, tensor(state.get(name)!, shape));
  }

  async close(): Promise<void> {
    for (const { session } of [this.#add, this.#report, ...this.#move.values()]) await session.release();
    this.#state.clear();
  }

  async #step(step: number, inputs: Readonly<Record<string, Float32Array>>): Promise<Record<string, number>> {
    const { count, cut, params, state, sums } = this.#plan;
    const numbers: Feeds = {};
    const parts: Feeds[] = Array.from({ length: count }, () => ({}));
    for (const { name, shape } of this.#plan.inputs) {
      const size = elementCount(shape);
      const data = inputs[name]!.subarray(step * size, (step + 1) * size);
      if (!cut.includes(name)) numbers[graphName.input(name)] = tensor(data, shape);
      else {
        parts.forEach((part, i) => {
          const own = data.subarray((i * size) / count, ((i + 1) * size) / count);
          part[graphName.input(name)] = tensor(own, [shape[0]! / count, ...shape.slice(1)]);
        });
      }
    }

    const weights = Object.fromEntries(
      state.slice(0, params).map(({ name }) => [graphName.stateIn(name), this.#state.get(name)!]),
    );
    const sumsIn = Object.fromEntries(sums.map(({ name }) => [graphName.sumIn(name), this.#sums.get(name)!]));
    const sumsOut = Object.fromEntries(sums.map(({ name }) => [graphName.sumOut(name), this.#sums.get(name)!]));
    for (const { data } of this.#sums.values()) (data as Float32Array).fill(0);
    for (const part of parts) await this.#add.session.run({ ...weights, ...part, ...numbers, ...sumsIn }, sumsOut);

    const reported = (await this.#report.session.run(sumsIn)) as Feeds;
    for (const [i, { name, shape }] of state.slice(0, params).entries()) {
      const own = Array.from({ length: state.length / params }, (_, k) =>
        this.#state.get(state[k * params + i]!.name)!,
      );
      const feeds: Feeds = { ...reported, ...numbers, [graphName.sumIn('')]: this.#sums.get(name)! };
      const fetches: Feeds = {};
      own.forEach((one, k) => {
        feeds[graphName.stateIn(String(k))] = one;
        // Every number depends on the number in its place alone, so input and output may be the same memory.
        fetches[graphName.stateOut(String(k))] = one;
      });
      await this.#move.get(shapeKey(shape))!.session.run(feeds, fetches);
    }
    return Object.fromEntries(
      this.#plan.outputs.map(({ name }) => [name, Number(reported[graphName.output(name)]!.data[0])]),
    );
  }
}

function tensor(data: Float32Array, shape: readonly number[]): ort.Tensor {
  return new ort.Tensor('float32', data, shape);
}

/** Copies of some tensors, or of all. @throws Error for a name that is none */
export function copyOf(
  state: ReadonlyMap<string, ort.Tensor>,
  names: readonly string[] = [...state.keys()],
): Map<string, Float32Array> {
  return new Map(
    names.map((name) => {
      const found = state.get(name);
      if (found === undefined) throw new Error(`the training state has no tensor "${name}"`);
      return [name, Float32Array.from(found.data as Float32Array)];
    }),
  );
}
