import {
  goldenGate,
  latencyGate,
  oldProductsGate,
  parityGateResult,
  type GateResult as MeasuredGate,
  type GoldenPart,
} from '../../shared/calibration/gates.ts';
import { sentence, type Sentence } from '../../shared/calibration/sentences.ts';
import type { GateResult } from '../../shared/ipc/training.ts';
import type { GateOverride, StationModel } from '../../shared/station/domain.ts';
import { parityTolerance } from '../package/manifest.ts';
import type { StationContext } from './context.ts';
import type { FeedService } from './feed.ts';
import { goldenPictures, measureAgain, scoresOf } from './golden.ts';

/** Parts that the latency gate times: with 59 its bound is known with 95 % confidence. */
const timedPictures = 80;
const warmUpPictures = 5;

/**
 * What stands between a candidate and the line: the golden set, the products that the active model knows, parity with
 * the trainer, and the line's time. Scores that are not there yet are computed first.
 * @throws UserError when a model can't be opened
 */
export async function checkGates(
  context: StationContext,
  feeds: Pick<FeedService, 'score'>,
  candidate: StationModel,
): Promise<GateResult[]> {
  const { store } = context;
  const active = store.models.active(candidate.projectId);
  const parity = parityGateResult({ ...candidate.parity, tolerance: parityTolerance });
  const gates = [
    ...(await goldenGates(context, feeds, candidate, active)),
    resultOf('parity', parity),
    await checkLatency(context, feeds, candidate),
  ];
  store.models.setGates(candidate.id, gates);
  // Both were scored for the comparison: their figures stand beside each other from now on.
  for (const model of [candidate, active]) if (model !== null) measureAgain(context, model.id);
  return gates;
}

async function goldenGates(
  context: StationContext,
  feeds: Pick<FeedService, 'score'>,
  candidate: StationModel,
  active: StationModel | null,
): Promise<GateResult[]> {
  if (active === null || active.id === candidate.id) {
    const nothing = sentence('gateNoOther');
    // Nothing to compare with, but to be measured on.
    await scoresOf(context, feeds, candidate, goldenPictures(context, candidate.projectId));
    return [plain('golden', true, nothing), plain('oldProducts', true, nothing)];
  }
  const golden = goldenPictures(context, candidate.projectId);
  const after = await scoresOf(context, feeds, candidate, golden);
  let before;
  try {
    before = await scoresOf(context, feeds, active, golden);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const impossible = sentence('gateNotCompared', { why });
    return [plain('golden', false, impossible), plain('oldProducts', false, impossible)];
  }
  const parts = golden.map(({ sha256, className, gtLabel }): GoldenPart => ({
    id: sha256,
    className,
    gtLabel: gtLabel === 'fail' ? 'defect' : 'good',
    active: before.get(sha256)!,
    candidate: after.get(sha256)!,
  }));
  return [
    resultOf('golden', goldenGate(parts)),
    resultOf('oldProducts', oldProductsGate(parts, active.classes, candidate.classes)),
  ];
}

async function checkLatency(
  context: StationContext,
  feeds: Pick<FeedService, 'score'>,
  candidate: StationModel,
): Promise<GateResult> {
  const { store } = context;
  const cycleTimeMs = store.recipes
    .list(candidate.projectId)
    .find((recipe) => recipe.cycleTimeMs !== null)?.cycleTimeMs;
  if (cycleTimeMs === undefined || cycleTimeMs === null) {
    return plain('latency', true, sentence('latencyNoLimit'));
  }
  const pictures = store.pictures.forTraining(candidate.projectId, ['golden', 'calibration', 'normal']);
  if (pictures.length === 0) return plain('latency', false, sentence('latencyNoPictures'));
  const wanted = timedPictures + warmUpPictures;
  const timed = Array.from({ length: wanted }, (_, i) => pictures[i % pictures.length]!);
  const times = (await feeds.score(candidate, timed)).slice(warmUpPictures).map(({ partMs }) => partMs);
  return resultOf('latency', latencyGate(times, cycleTimeMs));
}

/** What stands in every record of a model that a person let through. */
export function overrideNote(version: number, { by, role, at, reason, gates }: GateOverride): string {
  return `Model v${String(version)} was let through although gates refused it (${gates.join(', ')}): ${by} (${role}), ${at.slice(0, 10)}: ${reason.trim()}`.slice(
    0,
    1000,
  );
}

function plain(gate: GateResult['gate'], passed: boolean, said: Sentence): GateResult {
  return { gate, passed, ...inWords([said]), changed: [] };
}

/** Sentences as a gate's result carries them: in English, and to be said in any language. */
function inWords(sentences: readonly Sentence[]): Pick<GateResult, 'statement' | 'sentences'> {
  return {
    statement: sentences.map(({ text }) => text).join(' '),
    sentences: sentences.map(({ key, params, text }) => ({
      key,
      // What is kept as JSON holds no infinite numbers.
      params: Object.fromEntries(
        Object.entries(params).map(([name, value]) => [
          name,
          typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
        ]),
      ),
      text,
    })),
  };
}

/** The gate in the words of the screens: the checks that refuse, or the first one. */
function resultOf(gate: GateResult['gate'], measured: MeasuredGate): GateResult {
  const passed = measured.outcome === 'accepted';
  const told = passed ? measured.checks.slice(0, 2) : measured.checks.filter((check) => !check.passed);
  return {
    gate,
    passed,
    ...inWords(told.map(({ statement }) => statement)),
    changed: measured.changed.map(({ id, className, gtLabel, active, candidate }) => ({
      sha256: id,
      className,
      gtLabel: gtLabel === 'defect' ? 'fail' : 'pass',
      before: active,
      after: candidate,
    })),
  };
}
