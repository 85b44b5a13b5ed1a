/** Worker thread that owns ONNX Runtime sessions and trainers: only wires calls to them. */
import { parentPort } from 'node:worker_threads';
import { OrtTrainer, type TrainerPlan } from './ort-trainer.ts';
import { openOrtSession, runOrtSession, type OrtSession, type SessionOptions, type TensorData } from './ort-session.ts';
import { PartwiseTrainer, type PartwisePlan } from './partwise-trainer.ts';
import { serve, Transferred } from './rpc.ts';

const sessions = new Map<number, OrtSession>();
const trainers = new Map<number, OrtTrainer | PartwiseTrainer>();
let nextId = 0;

function byId<T>(things: ReadonlyMap<number, T>, id: number): T {
  const thing = things.get(id);
  if (thing === undefined) throw new Error(`session ${id} is closed`);
  return thing;
}

const buffersOf = (arrays: readonly ArrayBufferView[]): ArrayBuffer[] => [
  ...new Set(arrays.map((array) => array.buffer as ArrayBuffer)),
];

serve(parentPort!, {
  open: async ({ model, options }: { model: Uint8Array | string; options: SessionOptions }) => {
    const opened = await openOrtSession(model, options);
    const session = nextId++;
    sessions.set(session, opened);
    return { session, description: opened.description };
  },
  run: async (call: { session: number; feeds: Record<string, TensorData>; fetches?: readonly string[] }) => {
    const results = await runOrtSession(byId(sessions, call.session), call.feeds, call.fetches);
    return new Transferred(results, buffersOf(Object.values(results).map(({ data }) => data)));
  },
  close: async ({ session }: { session: number }) => {
    await byId(sessions, session).session.release();
    sessions.delete(session);
  },

  openTrainer: async (plan: TrainerPlan | PartwisePlan) => {
    const opened = 'graphs' in plan ? await PartwiseTrainer.open(plan) : await OrtTrainer.open(plan);
    const trainer = nextId++;
    trainers.set(trainer, opened);
    return { trainer, description: opened.describe() };
  },
  train: (call: { trainer: number; steps: number; inputs: Record<string, Float32Array> }) =>
    byId(trainers, call.trainer).runSteps(call.steps, call.inputs),
  readState: ({ trainer, names }: { trainer: number; names: readonly string[] | undefined }) => {
    const state = byId(trainers, trainer).readState(names);
    return new Transferred(state, buffersOf([...state.values()]));
  },
  writeState: ({ trainer, state }: { trainer: number; state: Map<string, Float32Array> }) => {
    byId(trainers, trainer).writeState(state);
  },
  closeTrainer: async ({ trainer }: { trainer: number }) => {
    await byId(trainers, trainer).close();
    trainers.delete(trainer);
  },
});
