/** Cuts an ONNX model of ours down to what some of its outputs need, so that parts of it can be timed. */
import { ProtoWriter } from '../main/onnx/protobuf.ts';

/** Numbers of the fields that matter here, by message. */
const modelProto = { ir: 1, graph: 7, opset: 8 };
const graphProto = { node: 1, name: 2, initializer: 5, input: 11, output: 12 };
const nodeProto = { input: 1, output: 2 };
const tensorName = 8;
const valueInfoName = 1;

interface Field {
  number: number;
  /** Of a length-delimited field. */
  bytes: Uint8Array;
  /** Of a varint. */
  value: number;
}

/** Fields of a message. For models of ours alone: nothing is checked. */
function fieldsOf(message: Uint8Array): Field[] {
  const out: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    const value = wire === 0 || wire === 2 ? varint() : 0;
    const start = at;
    if (wire === 2) at += value;
    else if (wire === 5) at += 4;
    else if (wire === 1) at += 8;
    out.push({ number, value, bytes: message.subarray(start, at) });
  }
  return out;
}

function textsOf(message: Uint8Array, field: number): string[] {
  return fieldsOf(message)
    .filter(({ number }) => number === field)
    .map(({ bytes }) => new TextDecoder().decode(bytes));
}

/** The same model with the given outputs only, and nothing that they don't need. @throws Error when one is not there */
export function pruneGraph(model: Uint8Array, outputs: readonly string[]): Uint8Array {
  const parts = fieldsOf(model);
  const graph = fieldsOf(parts.find(({ number }) => number === modelProto.graph)!.bytes);
  const of = (field: number): Uint8Array[] => graph.filter(({ number }) => number === field).map(({ bytes }) => bytes);

  const needed = new Set(outputs);
  const nodes: Uint8Array[] = [];
  for (const node of of(graphProto.node).reverse()) {
    if (!textsOf(node, nodeProto.output).some((name) => needed.has(name))) continue;
    nodes.push(node);
    for (const name of textsOf(node, nodeProto.input)) needed.add(name);
  }
  const named = (field: number, nameField: number, names: { has(name: string): boolean }): Uint8Array[] =>
    of(field).filter((bytes) => names.has(textsOf(bytes, nameField)[0]!));
  const kept = named(graphProto.output, valueInfoName, new Set(outputs));
  if (kept.length !== outputs.length) throw new Error(`the model has not all of the outputs ${outputs.join(', ')}`);

  const inner = new ProtoWriter();
  for (const node of nodes.reverse()) inner.bytes(graphProto.node, node);
  inner.string(graphProto.name, 'part');
  for (const tensor of named(graphProto.initializer, tensorName, needed)) inner.bytes(graphProto.initializer, tensor);
  for (const input of of(graphProto.input)) inner.bytes(graphProto.input, input);
  for (const output of kept) inner.bytes(graphProto.output, output);
  const out = new ProtoWriter();
  for (const { number, value, bytes } of parts) {
    if (number === modelProto.ir) out.int(number, value);
    if (number === modelProto.opset) out.bytes(number, bytes);
  }
  out.message(modelProto.graph, inner);
  return out.finish();
}
