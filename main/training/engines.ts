import type { TrainingStep } from '../nn/training-step.ts';
import { openOrtEngine } from '../runtime/ort-engine.ts';
import { chooseProvider } from '../runtime/providers.ts';
import { openTfjsEngine } from '../runtime/tfjs-engine.ts';
import type { TrainingEngine } from '../runtime/training-engine.ts';

/**
 * Proves that the engine is there, before the minutes that come before it.
 * @throws UserError as `openEngine`
 */
export async function checkEngine(asked: string): Promise<void> {
  if (asked !== 'tfjs') {
    // `auto` takes what is there.
    if (asked !== 'auto') await chooseProvider(asked);
    return;
  }
  const nothing = { state: [], inputs: [], outputs: [], apply: () => ({ state: [], outputs: {} }) };
  const engine = await openTfjsEngine(nothing, new Map(), { backend: 'tfjs-node-gpu' });
  await engine.close();
}

/**
 * Opens the engine that a run asked for: `tfjs` is the second engine (its GPU backend, which must be installed), any
 * other name an execution provider of ONNX Runtime.
 * @param initial state before the first step; its arrays are gone afterwards
 * @throws UserError when what was asked for isn't there; nothing else is taken instead
 */
export function openEngine(
  asked: string,
  step: TrainingStep,
  initial: ReadonlyMap<string, Float32Array>,
  session: { provider: string; threads?: number },
): Promise<TrainingEngine> {
  return asked === 'tfjs'
    ? openTfjsEngine(step, initial, { backend: 'tfjs-node-gpu' })
    : openOrtEngine(step, initial, { ...session, takeInitial: true });
}
