/** Writes the parts of an ONNX model as protobuf messages; field numbers are those of onnx.proto. */
import type { OnnxAttribute, OnnxData, OnnxDim, OnnxDtype } from './graph.ts';
import { ProtoWriter, type LazyBytes } from './protobuf.ts';

/** `TensorProto.DataType` numbers. */
export const onnxDtypeCode: Readonly<Record<OnnxDtype, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};

/** Bytes per element of each type. */
export const onnxDtypeBytes: Readonly<Record<OnnxDtype, number>> = {
  float32: 4,
  int64: 8,
  int32: 4,
  bool: 1,
  uint8: 1,
  int8: 1,
  float16: 2,
};

/** A node as it is recorded. */
export interface GraphNode {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A graph input or output. */
export interface ValueInfo {
  name: string;
  dtype: OnnxDtype;
  shape: readonly OnnxDim[];
}

export function writeNode(node: GraphNode, renamed: ReadonlyMap<string, string>): ProtoWriter {
  const writer = new ProtoWriter();
  for (const input of node.inputs) writer.string(1, renamed.get(input) ?? input);
  for (const output of node.outputs) writer.string(2, renamed.get(output) ?? output);
  writer.string(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    writer.message(5, writeAttribute(name, attribute, renamed));
  }
  return writer;
}

function writeAttribute(name: string, attribute: OnnxAttribute, renamed: ReadonlyMap<string, string>): ProtoWriter {
  const writer = new ProtoWriter();
  writer.string(1, name);
  let type: number;
  if ('float' in attribute) {
    writer.float(2, attribute.float);
    type = 1;
  } else if ('int' in attribute) {
    writer.int(3, attribute.int);
    type = 2;
  } else if ('string' in attribute) {
    writer.string(4, attribute.string);
    type = 3;
  } else if ('tensor' in attribute) {
    const { dtype, shape, data } = attribute.tensor;
    writer.message(5, writeTensor('', dtype, shape, tensorBytes(dtype, data)));
    type = 4;
  } else if ('graph' in attribute) {
    writer.message(6, attribute.graph.body(renamed));
    type = 5;
  } else if ('floats' in attribute) {
    writer.packedFloats(7, attribute.floats);
    type = 6;
  } else if ('ints' in attribute) {
    writer.packedInts(8, attribute.ints);
    type = 7;
  } else {
    for (const value of attribute.strings) writer.string(9, value);
    type = 8;
  }
  writer.int(20, type);
  return writer;
}

function tensorHeader(name: string, dtype: OnnxDtype, shape: readonly number[]): ProtoWriter {
  const writer = new ProtoWriter();
  if (shape.length > 0) writer.packedInts(1, shape);
  writer.int(2, onnxDtypeCode[dtype]);
  if (name !== '') writer.string(8, name);
  return writer;
}

export function writeTensor(
  name: string,
  dtype: OnnxDtype,
  shape: readonly number[],
  bytes: Uint8Array | LazyBytes,
): ProtoWriter {
  const writer = tensorHeader(name, dtype, shape);
  if (bytes instanceof Uint8Array) writer.bytes(9, bytes);
  else writer.lazyBytes(9, bytes);
  return writer;
}

/** A constant whose data lie in another file in the same folder. */
export function writeExternalTensor(
  name: string,
  dtype: OnnxDtype,
  shape: readonly number[],
  place: { location: string; offset: number; length: number },
): ProtoWriter {
  const writer = tensorHeader(name, dtype, shape);
  for (const [key, value] of Object.entries(place)) {
    const entry = new ProtoWriter();
    entry.string(1, key);
    entry.string(2, String(value));
    writer.message(13, entry);
  }
  writer.int(14, 1);
  return writer;
}

export function writeValueInfo(info: ValueInfo): ProtoWriter {
  const shape = new ProtoWriter();
  for (const size of info.shape) {
    const dim = new ProtoWriter();
    if (typeof size === 'number') dim.int(1, size);
    else dim.string(2, size);
    shape.message(1, dim);
  }
  const tensorType = new ProtoWriter();
  tensorType.int(1, onnxDtypeCode[info.dtype]);
  tensorType.message(2, shape);
  const type = new ProtoWriter();
  type.message(1, tensorType);
  const writer = new ProtoWriter();
  writer.string(1, info.name);
  writer.message(2, type);
  return writer;
}

/** Little-endian bytes of constant data, by reference where the array already has the right element type. */
export function tensorBytes(dtype: OnnxDtype, data: OnnxData): Uint8Array {
  const view = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const numbers = (): number[] => Array.from(data, Number);
  switch (dtype) {
    case 'float32':
      return view(data instanceof Float32Array ? data : Float32Array.from(numbers()));
    case 'int32':
      return view(data instanceof Int32Array ? data : Int32Array.from(numbers()));
    case 'int64':
      return view(
        data instanceof BigInt64Array
          ? data
          : BigInt64Array.from(Array.from<number | bigint, bigint>(data, (value) => BigInt(value))),
      );
    case 'bool':
    case 'uint8':
      return data instanceof Uint8Array ? data : Uint8Array.from(numbers());
    case 'int8':
      return view(data instanceof Int8Array ? data : Int8Array.from(numbers()));
    case 'float16':
      if (data instanceof Uint16Array) return view(data);
      throw new Error('float16 data are given as raw bits in a Uint16Array');
  }
}
