import { checkInferenceGraph } from '../onnx/read.ts';
import type { Manifest } from '../package/manifest.ts';
import { dataMember } from '../package/zip-members.ts';

/** Every operator a graph of ours may hold; a package with any other is refused before anything runs. */
const allowedOperators = [
  ...[
    'Abs',
    'Add',
    'ArgMax',
    'ArgMin',
    'AveragePool',
    'Cast',
    'Clip',
    'Concat',
    'Constant',
    'Conv',
    'Cos',
    'Div',
    'DynamicQuantizeLinear',
    'Elu',
  ],
  ...[
    'Equal',
    'Erf',
    'Exp',
    'Expand',
    'Floor',
    'Gather',
    'GatherElements',
    'GatherND',
    'Gelu',
    'Gemm',
    'GlobalAveragePool',
    'Greater',
  ],
  ...[
    'GreaterOrEqual',
    'Identity',
    'LayerNormalization',
    'Less',
    'LessOrEqual',
    'Log',
    'LogSoftmax',
    'MatMul',
    'MatMulInteger',
    'Max',
  ],
  ...['Min', 'Mul', 'Neg', 'Not', 'Pow', 'Range', 'Reciprocal', 'ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceSum'],
  ...[
    'ReduceSumSquare',
    'Relu',
    'Reshape',
    'Resize',
    'Shape',
    'Sigmoid',
    'Sign',
    'Sin',
    'Slice',
    'Softmax',
    'Softplus',
  ],
  ...['SpaceToDepth', 'Split', 'Sqrt', 'Squeeze', 'Sub', 'Tanh', 'Tile', 'TopK', 'Transpose', 'Unsqueeze', 'Where'],
];

/** Largest constants of one model, bytes: ViT-L with both students takes 2.9 GB. */
const maxConstantBytes = 4 * 2 ** 30;

/**
 * Checks a package's graph: operators, sizes, and that its input and outputs are what the manifest says.
 * @throws UserError `modelUnreadable` | `graphRefused`
 */
export function checkFusedGraph(graph: Uint8Array, manifest: Manifest, dataBytes?: number): void {
  const side = manifest.inputSize;
  checkInferenceGraph(graph, {
    allowedOperators,
    maxConstantBytes,
    ...(dataBytes !== undefined && { dataFile: { location: dataMember, bytes: dataBytes } }),
    inputs: [{ name: 'pixels', dtype: 'uint8', shape: ['batch', side, side, 3] }],
    outputs: manifest.outputs.map((name) => ({
      name,
      dtype: name === 'classIndex' || name === 'nearestNormal' ? 'int32' : 'float32',
      shape: name === 'anomalyMap' ? ['batch', side, side] : ['batch'],
    })),
  });
}
