import { UserError } from '../../shared/errors.ts';
import type { OnnxDim, OnnxDtype } from './graph.ts';
import { onnxDtypeBytes, onnxDtypeCode } from './graph-writer.ts';
import { ProtoReader } from './protobuf-reader.ts';

/** A named tensor of a model: graph input, output, or constant. */
export interface ModelTensor {
  readonly name: string;
  /** Undefined for an element type that Twinspect never writes. */
  readonly dtype: OnnxDtype | undefined;
  readonly shape: readonly OnnxDim[];
}

export interface ModelConstant extends ModelTensor {
  readonly shape: readonly number[];
  /** Size of the data as stored in the file. */
  readonly bytes: number;
  /** The data lie in another file. */
  readonly isExternal: boolean;
  /** Where in that file, as the model says. */
  readonly place?: { readonly location: string; readonly offset: number; readonly length: number };
}

/** What a model holds, without its numbers. */
export interface ModelSummary {
  readonly irVersion: number;
  /** Version by domain; the standard operators have the domain `''`. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
  /** Constants of the graph, of its subgraphs, and within node attributes. */
  readonly constants: readonly ModelConstant[];
  /** Number of nodes by operator, subgraphs included; other domains are written `domain:Operator`. */
  readonly operators: ReadonlyMap<string, number>;
  /** Kinds of content Twinspect never writes, e.g. functions or sparse constants. */
  readonly foreign: readonly string[];
}

/** Hard bounds of the reader: a hostile file can't make it work long or deep. */
export const readLimits = {
  /** Subgraphs within subgraphs. */
  depth: 8,
  /** Nodes, constants, inputs and attributes altogether. */
  items: 500_000,
  /** Dimensions of one tensor. */
  rank: 16,
  /** Bytes of one name. */
  nameBytes: 1024,
} as const;

const dtypeOf = new Map<number, OnnxDtype>(
  Object.entries(onnxDtypeCode).map(([name, code]) => [code, name as OnnxDtype]),
);

/** Collects a summary while it walks the nested messages of a model. */
class SummaryBuilder {
  irVersion = 0;
  readonly opsets = new Map<string, number>();
  producer = '';
  readonly inputs: ModelTensor[] = [];
  readonly outputs: ModelTensor[] = [];
  readonly constants: ModelConstant[] = [];
  readonly operators = new Map<string, number>();
  readonly foreign = new Set<string>();
  #items = 0;
  #graphs = 0;

  model(reader: ProtoReader): void {
    while (reader.next()) {
      if (reader.field === 1) this.irVersion = reader.int();
      else if (reader.field === 2) this.producer = reader.string(readLimits.nameBytes);
      else if (reader.field === 7) {
        if (++this.#graphs > 1) throw new Error('there are two main graphs');
        this.#graph(reader.message(), 0);
      } else if (reader.field === 8) this.#opset(reader.message());
      else if (reader.field === 20) this.#note('training information', reader);
      else if (reader.field === 25) this.#note('functions', reader);
      else reader.skip();
    }
    if (this.#graphs === 0) throw new Error('there is no graph in it');
  }

  #note(what: string, reader: ProtoReader): void {
    this.foreign.add(what);
    reader.skip();
  }

  #count(): void {
    if (++this.#items > readLimits.items) throw new Error(`it has more than ${readLimits.items} parts`);
  }

  #opset(reader: ProtoReader): void {
    let [domain, version] = ['', 0];
    while (reader.next()) {
      if (reader.field === 1) domain = reader.string(readLimits.nameBytes);
      else if (reader.field === 2) version = reader.int();
      else reader.skip();
    }
    this.opsets.set(domain === 'ai.onnx' ? '' : domain, version);
  }

  #graph(reader: ProtoReader, depth: number): void {
    if (depth > readLimits.depth) throw new Error(`subgraphs are nested deeper than ${readLimits.depth}`);
    while (reader.next()) {
      this.#count();
      if (reader.field === 1) this.#node(reader.message(), depth);
      else if (reader.field === 5) this.#tensor(reader.message());
      else if (reader.field === 11 && depth === 0) this.inputs.push(this.#valueInfo(reader.message()));
      else if (reader.field === 12 && depth === 0) this.outputs.push(this.#valueInfo(reader.message()));
      else if (reader.field === 15) this.#note('sparse constants', reader);
      else reader.skip();
    }
  }

  #node(reader: ProtoReader, depth: number): void {
    let [operator, domain] = ['', ''];
    while (reader.next()) {
      this.#count();
      if (reader.field === 4) operator = reader.string(readLimits.nameBytes);
      else if (reader.field === 7) domain = reader.string(readLimits.nameBytes);
      else if (reader.field === 5) this.#attribute(reader.message(), depth);
      else reader.skip();
    }
    const key = domain === '' || domain === 'ai.onnx' ? operator : `${domain}:${operator}`;
    this.operators.set(key, (this.operators.get(key) ?? 0) + 1);
  }

  #attribute(reader: ProtoReader, depth: number): void {
    while (reader.next()) {
      if (reader.field === 5 || reader.field === 10) this.#tensor(reader.message());
      else if (reader.field === 6 || reader.field === 11) this.#graph(reader.message(), depth + 1);
      else if (reader.field === 22 || reader.field === 23) this.#note('sparse constants', reader);
      else reader.skip();
    }
  }

  #tensor(reader: ProtoReader): void {
    this.#count();
    const shape: number[] = [];
    let [name, type, bytes, isExternal] = ['', 0, 0, false];
    const entries = new Map<string, string>();
    while (reader.next()) {
      if (reader.field === 1) reader.ints(shape, readLimits.rank);
      else if (reader.field === 2) type = reader.int();
      else if (reader.field === 8) name = reader.string(readLimits.nameBytes);
      else if (reader.field === 13) {
        isExternal = true;
        this.#entry(reader.message(), entries);
      } else if (reader.field === 14) isExternal = reader.int() !== 0 || isExternal;
      else bytes += [4, 5, 6, 7, 9, 10, 11].includes(reader.field) ? reader.skip() : reader.skip() * 0;
    }
    const place = {
      location: entries.get('location') ?? '',
      offset: Number(entries.get('offset') ?? 0),
      length: Number(entries.get('length') ?? NaN),
    };
    this.constants.push({ name, dtype: dtypeOf.get(type), shape, bytes, isExternal, ...(isExternal && { place }) });
  }

  /** StringStringEntryProto. */
  #entry(reader: ProtoReader, entries: Map<string, string>): void {
    this.#count();
    let [key, value] = ['', ''];
    while (reader.next()) {
      if (reader.field === 1) key = reader.string(readLimits.nameBytes);
      else if (reader.field === 2) value = reader.string(readLimits.nameBytes);
      else reader.skip();
    }
    entries.set(key, value);
  }

  #valueInfo(reader: ProtoReader): ModelTensor {
    let [name, type, shape]: [string, number, OnnxDim[]] = ['', 0, []];
    while (reader.next()) {
      if (reader.field === 1) name = reader.string(readLimits.nameBytes);
      else if (reader.field === 2) [type, shape] = this.#type(reader.message());
      else reader.skip();
    }
    return { name, dtype: dtypeOf.get(type), shape };
  }

  /** TypeProto: only dense tensors are known. */
  #type(reader: ProtoReader): [number, OnnxDim[]] {
    let type = 0;
    const shape: OnnxDim[] = [];
    while (reader.next()) {
      if (reader.field !== 1) {
        reader.skip();
        continue;
      }
      const tensor = reader.message();
      while (tensor.next()) {
        if (tensor.field === 1) type = tensor.int();
        else if (tensor.field === 2) this.#shape(tensor.message(), shape);
        else tensor.skip();
      }
    }
    return [type, shape];
  }

  #shape(reader: ProtoReader, shape: OnnxDim[]): void {
    while (reader.next()) {
      if (reader.field !== 1) {
        reader.skip();
        continue;
      }
      if (shape.length >= readLimits.rank) throw new Error(`a tensor has more than ${readLimits.rank} dimensions`);
      const dim = reader.message();
      let size: OnnxDim = '';
      while (dim.next()) {
        if (dim.field === 1) size = dim.int();
        else if (dim.field === 2) size = dim.string(readLimits.nameBytes);
        else dim.skip();
      }
      shape.push(size);
    }
  }
}

/**
 * Lists what an ONNX model holds. The file is taken as hostile: lengths, counts and depths are bounded, and no data
 * are copied.
 *
 * @throws UserError `modelUnreadable` for bytes that are no ONNX model
 */
export function readModel(bytes: Uint8Array): ModelSummary {
  const builder = new SummaryBuilder();
  try {
    builder.model(new ProtoReader(bytes));
  } catch (error) {
    throw new UserError(
      'modelUnreadable',
      `The model is damaged or not an ONNX file: ${(error as Error).message}.`,
      'Copy or export it again.',
      { cause: error },
    );
  }
  const { irVersion, opsets, producer, inputs, outputs, constants, operators, foreign } = builder;
  return { irVersion, opsets, producer, inputs, outputs, constants, operators, foreign: [...foreign] };
}

/** What a model must be like to be run. */
export interface GraphRules {
  /** Operators of the standard domain; anything else is refused, whatever its domain. */
  readonly allowedOperators: Iterable<string>;
  /** Default 21. */
  readonly maxOpset?: number;
  /** Default 10. */
  readonly maxIrVersion?: number;
  /** Default 20,000. */
  readonly maxNodes?: number;
  /** All constants together; default 1 GiB. */
  readonly maxConstantBytes?: number;
  /** The one other file that constants may lie in: its name and size. Default: none. */
  readonly dataFile?: { readonly location: string; readonly bytes: number };
  /** Inputs and outputs the model must have, exactly; a named dimension fits any name. */
  readonly inputs?: readonly ModelTensor[];
  readonly outputs?: readonly ModelTensor[];
}

/**
 * Checks that a model is one that may be run here, and returns its summary.
 *
 * @throws UserError `modelUnreadable` or `graphRefused`, naming what is wrong
 */
export function checkInferenceGraph(bytes: Uint8Array, rules: GraphRules): ModelSummary {
  const model = readModel(bytes);
  const problem = findProblem(model, rules);
  if (problem !== undefined) {
    throw new UserError(
      'graphRefused',
      `The model is refused: ${problem}.`,
      'It was made by another program, by a newer Twinspect, or changed since; train or export it again.',
    );
  }
  return model;
}

function findProblem(model: ModelSummary, rules: GraphRules): string | undefined {
  const { maxOpset = 21, maxIrVersion = 10, maxNodes = 20_000, maxConstantBytes = 2 ** 30 } = rules;
  if (model.irVersion < 1 || model.irVersion > maxIrVersion) {
    return `its ONNX version ${model.irVersion} is outside 1 to ${maxIrVersion}`;
  }
  if (model.foreign.length > 0) return `it holds ${model.foreign.join(' and ')}`;
  for (const [domain, version] of model.opsets) {
    if (domain !== '') return `it needs the operators of "${domain}"`;
    if (version < 1 || version > maxOpset) return `its operator set ${version} is outside 1 to ${maxOpset}`;
  }
  if (!model.opsets.has('')) return 'it names no operator set';
  const allowed = new Set(rules.allowedOperators);
  let nodes = 0;
  for (const [operator, count] of model.operators) {
    if (!allowed.has(operator)) return `the operator "${operator}" is not allowed`;
    nodes += count;
  }
  if (nodes > maxNodes) return `it has ${nodes} nodes, more than ${maxNodes}`;
  return (
    constantProblem(model, maxConstantBytes, rules.dataFile) ??
    portProblem('input', model.inputs, rules.inputs) ??
    portProblem('output', model.outputs, rules.outputs)
  );
}

function constantProblem(model: ModelSummary, maxBytes: number, dataFile: GraphRules['dataFile']): string | undefined {
  let total = 0;
  for (const { name, dtype, shape, bytes: inline, isExternal, place } of model.constants) {
    const what = `the constant "${name}"`;
    let bytes = inline;
    if (isExternal) {
      if (place === undefined || place.location !== dataFile?.location) return `${what} lies in another file`;
      const { offset, length } = place;
      const isInside =
        [offset, length].every((n) => Number.isSafeInteger(n) && n >= 0) && offset + length <= dataFile.bytes;
      if (!isInside || inline > 0) return `${what} lies outside its file`;
      bytes = length;
    }
    if (dtype === undefined) return `${what} has an element type that is not allowed`;
    if (shape.some((size) => size < 0)) return `${what} has a negative size`;
    const expected = shape.reduce((product, size) => product * size, 1) * onnxDtypeBytes[dtype];
    if (bytes !== expected) return `${what} holds ${bytes} bytes instead of ${expected}`;
    total += bytes;
  }
  return total > maxBytes ? `its constants take ${total} bytes, more than ${maxBytes}` : undefined;
}

function portProblem(
  kind: 'input' | 'output',
  found: readonly ModelTensor[],
  wanted: readonly ModelTensor[] | undefined,
): string | undefined {
  if (wanted === undefined) return undefined;
  const describe = ({ dtype, shape }: ModelTensor): string => `${dtype ?? 'unknown'} [${shape.join(', ')}]`;
  for (const port of wanted) {
    const match = found.find(({ name }) => name === port.name);
    if (match === undefined) return `the ${kind} "${port.name}" is missing`;
    const fits =
      match.dtype === port.dtype &&
      match.shape.length === port.shape.length &&
      match.shape.every(
        (size, i) => size === port.shape[i] || (typeof size === 'string' && typeof port.shape[i] === 'string'),
      );
    if (!fits) return `the ${kind} "${port.name}" is ${describe(match)} instead of ${describe(port)}`;
  }
  const extra = found.find(({ name }) => !wanted.some((port) => port.name === name));
  return extra === undefined ? undefined : `there is an unexpected ${kind} "${extra.name}"`;
}
