import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto, type TraceInput } from '../onnx/tracing-backend.ts';
import { graphName, stepCountName, type EngineStep } from './training-engine.ts';

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

function traceStep(
  graph: OnnxGraph,
  step: EngineStep,
  state: readonly TraceInput[],
  data: readonly TraceInput[],
): { state: string[]; outputs: string[] } {
  const count = step.state.length;
  const traced = traceInto(graph, [...state, ...data], (...tensors) => {
    const named = Object.fromEntries(step.inputs.map(({ name }, i) => [name, tensors[count + i]!]));
    const result = step.apply(tensors.slice(0, count), named);
    const scalars = step.outputs.map(({ name }) => {
      const scalar = result.outputs[name];
      if (scalar === undefined) throw new Error(`the training step does not report "${name}"`);
      return scalar;
    });
    return [...result.state, ...scalars];
  });
  const values = traced.map(({ value }) => value);
  return { state: values.slice(0, count), outputs: values.slice(count) };
}
