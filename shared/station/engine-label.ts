const providers: Readonly<Record<string, string>> = {
  cpu: 'CPU',
  cuda: 'CUDA',
  dml: 'DirectML',
  webgpu: 'WebGPU',
  coreml: 'Core ML',
};

/** What computed, as a record names it, for people: `onnxruntime cpu` becomes `CPU (ONNX Runtime)`. */
export function engineLabel(engine: string): string {
  const [, provider] = /^onnxruntime (\w+)$/.exec(engine) ?? [];
  const name = provider === undefined ? undefined : providers[provider];
  return name === undefined ? engine : `${name} (ONNX Runtime)`;
}
