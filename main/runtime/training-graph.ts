import type { Tensor } from '@tensorflow/tfjs-core';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto, type TraceInput } from '../onnx/tracing-backend.ts';
import type { SessionOptions } from './ort-session.ts';
import type { PartwisePlan } from './partwise-trainer.ts';
import { graphName, shapeKey, stepCountName, type EngineStep, type StepTensor } from './training-engine.ts';

/** Traces one step as it is: state and data in, new state and scalars out. */
export function stepwiseGraph(step: EngineStep): Uint8Array {
  const graph = new OnnxGraph('trainingStep');
  const state = step.state.map(({ name, shape }): TraceInput => {
    return { value: graph.input(graphName.stateIn(name), 'float32', shape), shape, dtype: 'float32' };
  });
  const data = step.inputs.map(({ name, shape }): TraceInput => {
    return { value: graph.input(graphName.input(name), 'float32', shape), shape, dtype: 'float32' };
  });
  const traced = traceStep(graph, step, state, data);
  step.state.forEach(({ name, shape }, i) => {
    graph.output(graphName.stateOut(name), traced.state[i]!, 'float32', shape);
  });
  step.outputs.forEach(({ name }, i) => graph.output(graphName.output(name), traced.outputs[i]!, 'float32', []));
  return graph.toBytes();
}

/**
 * Traces the step as the body of an ONNX Loop: data stacked along a first axis `[steps, ...]`, scalars likewise. The
 * state stays inside ONNX Runtime between the steps of one run.
 */
export function loopGraph(step: EngineStep): Uint8Array {
  const graph = new OnnxGraph('trainingLoop');
  const steps = graph.input(stepCountName, 'int64', []);
  const state = step.state.map(({ name, shape }) => graph.input(graphName.stateIn(name), 'float32', shape));
  const stacked = step.inputs.map(({ name, shape }) =>
    graph.input(graphName.input(name), 'float32', ['steps', ...shape]),
  );

  const body = graph.subgraph('step');
  const index = body.input('index', 'int64', []);
  const proceed = body.input('proceed', 'bool', []);
  const inner = step.state.map(({ name, shape }): TraceInput => {
    return { value: body.input(`body:${name}`, 'float32', shape), shape, dtype: 'float32' };
  });
  const data = step.inputs.map(({ shape }, i): TraceInput => {
    return { value: body.node('Gather', [stacked[i]!, index], { axis: { int: 0 } })[0], shape, dtype: 'float32' };
  });
  const traced = traceStep(body, step, inner, data);
  body.output('proceedOut', proceed, 'bool', []);
  step.state.forEach(({ name, shape }, i) => body.output(`bodyOut:${name}`, traced.state[i]!, 'float32', shape));
  step.outputs.forEach(({ name }, i) => body.output(`bodyScalar:${name}`, traced.outputs[i]!, 'float32', []));

  const always = graph.initializer(undefined, 'bool', [], [1]);
  const results = graph.node(
    'Loop',
    [steps, always, ...state],
    { body: { graph: body } },
    step.state.length + step.outputs.length,
  );
  step.state.forEach(({ name, shape }, i) => graph.output(graphName.stateOut(name), results[i]!, 'float32', shape));
  step.outputs.forEach(({ name }, i) => {
    graph.output(graphName.output(name), results[step.state.length + i]!, 'float32', ['steps']);
  });
  return graph.toBytes();
}

type Traced = { state: string[]; outputs: string[] };

function traceStep(
  graph: OnnxGraph,
  step: EngineStep,
  state: readonly TraceInput[],
  data: readonly TraceInput[],
): Traced {
  if (step.parts !== undefined && step.parts.count > 1) return traceParts(graph, step, step.parts, state, data);
  const traced = traceInto(graph, [...state, ...data], (...tensors) => {
    const inputs = namedInputs(step, tensors.slice(state.length));
    const result = step.apply(tensors.slice(0, state.length), inputs);
    return [...result.state, ...reported(step, result.outputs)];
  });
  return splitValues(traced, state.length);
}

/**
 * Traces a step in parts: an ONNX Loop over the parts adds up gradients, the optimizer follows once. The parameters are
 * the outer graph's values, so nothing but the sums is carried from part to part.
 */
function traceParts(
  graph: OnnxGraph,
  step: EngineStep,
  parts: NonNullable<EngineStep['parts']>,
  state: readonly TraceInput[],
  data: readonly TraceInput[],
): Traced {
  const params = state.slice(0, parts.params);
  const isCut = step.inputs.map(({ name }) => parts.cut.includes(name));
  const stacked = data.map(({ value, shape }, i) => {
    if (!isCut[i]) return value;
    const cut = graph.ints([parts.count, shape[0]! / parts.count, ...shape.slice(1)]);
    return graph.node('Reshape', [value, cut])[0];
  });

  const body = graph.subgraph('part');
  const index = body.input('part', 'int64', []);
  const proceed = body.input('partProceed', 'bool', []);
  const carried = parts.sums.map(({ name, shape }): TraceInput => {
    return { value: body.input(`partSum:${name}`, 'float32', shape), shape, dtype: 'float32' };
  });
  const own = data.map(({ shape, dtype }, i): TraceInput => {
    if (!isCut[i]) return { value: stacked[i]!, shape, dtype };
    const value = body.node('Gather', [stacked[i]!, index], { axis: { int: 0 } })[0];
    return { value, shape: [shape[0]! / parts.count, ...shape.slice(1)], dtype };
  });
  const added = traceInto(body, [...params, ...own, ...carried], (...tensors) => {
    const inputs = namedInputs(step, tensors.slice(params.length, params.length + own.length));
    return parts.add(tensors.slice(0, params.length), inputs, tensors.slice(params.length + own.length));
  });
  body.output('partProceedOut', proceed, 'bool', []);
  parts.sums.forEach(({ name, shape }, i) => {
    body.output(`partSumOut:${name}`, added[i]!.value, 'float32', shape);
  });

  // Zeros of the right shape without constants as large as the model.
  const zero = graph.scalar(0);
  const start = parts.sums.map((_, i) => (i < params.length ? graph.node('Mul', [params[i]!.value, zero])[0] : zero));
  const count = graph.initializer(undefined, 'int64', [], [parts.count]);
  const always = graph.initializer(undefined, 'bool', [], [1]);
  const results = graph.node('Loop', [count, always, ...start], { body: { graph: body } }, start.length);

  const sums = results.map((value, i): TraceInput => ({ value, shape: parts.sums[i]!.shape, dtype: 'float32' }));
  const traced = traceInto(graph, [...state, ...data, ...sums], (...tensors) => {
    const inputs = namedInputs(step, tensors.slice(state.length, state.length + data.length));
    const given = tensors.slice(state.length + data.length);
    const outputs = parts.report(given);
    const moved = parts.move(tensors.slice(0, state.length), given.slice(0, params.length), outputs, inputs);
    return [...moved, ...reported(step, outputs)];
  });
  return splitValues(traced, state.length);
}

/** @returns the plan of a step that has parts */
export function partwisePlan(
  step: EngineStep & Required<Pick<EngineStep, 'parts'>>,
  initial: ReadonlyMap<string, Float32Array>,
  session: SessionOptions,
): PartwisePlan {
  const { count, cut, params, sums } = step.parts;
  const plain = (list: readonly StepTensor[]): StepTensor[] =>
    list.map(({ name, shape }) => ({ name, shape: [...shape] }));
  return {
    graphs: partwiseGraphs(step, step.parts),
    count,
    cut: [...cut],
    params,
    state: plain(step.state),
    sums: plain(sums),
    inputs: plain(step.inputs),
    outputs: plain(step.outputs),
    initial,
    session,
  };
}

/** Traces the parts of a step each as a graph of its own. */
function partwiseGraphs(step: EngineStep, parts: NonNullable<EngineStep['parts']>): PartwisePlan['graphs'] {
  const declare = (graph: OnnxGraph, name: string, shape: readonly number[]): TraceInput => {
    return { value: graph.input(name, 'float32', shape), shape, dtype: 'float32' };
  };
  const params = step.state.slice(0, parts.params);
  const perParam = step.state.length / params.length;

  const add = new OnnxGraph('trainingPart');
  const given = [
    ...params.map(({ name, shape }) => declare(add, graphName.stateIn(name), shape)),
    ...step.inputs.map(({ name, shape }) => {
      const own = parts.cut.includes(name) ? [shape[0]! / parts.count, ...shape.slice(1)] : shape;
      return declare(add, graphName.input(name), own);
    }),
    ...parts.sums.map(({ name, shape }) => declare(add, graphName.sumIn(name), shape)),
  ];
  const added = traceInto(add, given, (...tensors) => {
    const inputs = namedInputs(step, tensors.slice(params.length, params.length + step.inputs.length));
    return parts.add(tensors.slice(0, params.length), inputs, tensors.slice(params.length + step.inputs.length));
  });
  parts.sums.forEach(({ name, shape }, i) => add.output(graphName.sumOut(name), added[i]!.value, 'float32', shape));

  const report = new OnnxGraph('trainingReport');
  const sums = parts.sums.map(({ name, shape }) => declare(report, graphName.sumIn(name), shape));
  const scalars = traceInto(report, sums, (...tensors) => reported(step, parts.report(tensors)));
  step.outputs.forEach(({ name }, i) => report.output(graphName.output(name), scalars[i]!.value, 'float32', []));

  const move = new Map<string, Uint8Array>();
  for (const { shape } of params) {
    if (move.has(shapeKey(shape))) continue;
    const graph = new OnnxGraph('trainingMove');
    const state = Array.from({ length: perParam }, (_, i) => declare(graph, graphName.stateIn(String(i)), shape));
    const sum = declare(graph, graphName.sumIn(''), shape);
    const known = step.outputs.map(({ name }) => declare(graph, graphName.output(name), []));
    // Data of the batch are none of the optimizer's business.
    const rest = step.inputs.filter(({ name }) => !parts.cut.includes(name));
    const numbers = rest.map(({ name, shape: own }) => declare(graph, graphName.input(name), own));
    const moved = traceInto(graph, [...state, sum, ...known, ...numbers], (...tensors) => {
      const outputs = Object.fromEntries(step.outputs.map(({ name }, i) => [name, tensors[perParam + 1 + i]!]));
      const inputs = Object.fromEntries(rest.map(({ name }, i) => [name, tensors[perParam + 1 + known.length + i]!]));
      return parts.move(tensors.slice(0, perParam), [tensors[perParam]!], outputs, inputs);
    });
    moved.forEach(({ value }, i) => graph.output(graphName.stateOut(String(i)), value, 'float32', shape));
    move.set(shapeKey(shape), graph.toBytes());
  }
  return { add: add.toBytes(), report: report.toBytes(), move };
}

function namedInputs(step: EngineStep, tensors: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(step.inputs.map(({ name }, i) => [name, tensors[i]!]));
}

function reported(step: EngineStep, outputs: Record<string, Tensor>): Tensor[] {
  return step.outputs.map(({ name }) => {
    const scalar = outputs[name];
    if (scalar === undefined) throw new Error(`the training step does not report "${name}"`);
    return scalar;
  });
}

function splitValues(traced: readonly { value: string }[], count: number): Traced {
  const values = traced.map(({ value }) => value);
  return { state: values.slice(0, count), outputs: values.slice(count) };
}
