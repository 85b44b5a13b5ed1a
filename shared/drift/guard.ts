import { UserError } from '../errors.ts';
import { median, smallestChange, streamValues, type StreamValues } from './baseline.ts';
import { StreamBets } from './bets.ts';
import { cameraAlarm, changedSettings } from './camera-settings.ts';
import { alarmPhrase } from './phrases.ts';
import { RankBets } from './rank-bets.ts';
import {
  causeOfStream,
  driftStreams,
  type CameraSettings,
  type ClassBaseline,
  type DriftAlarm,
  type DriftBaseline,
  type DriftObservation,
  type DriftSettings,
  type DriftState,
  type DriftStream,
} from './types.ts';

/** One false alarm in twenty shifts of 5,000 parts at most: one in 100,000 parts. */
export const defaultDriftSettings: DriftSettings = { falseAlarmRate: 0.05, partsPerShift: 5000, maxDefectShare: 0.05 };

/** Parts whose values are kept for naming the change and for the display. */
const remembered = 200;
/** Parts after an alarm during which its cause may still be named better. */
const secondThoughts = 10;
/** Deviation beyond which one part counts no more, spreads. */
const winsorAt = 8;
const recentParts = 20;
/** Of the share of odd parts that levels allow, what ranks allow: they lose on average with all of it, too. */
const rankDefects = 0.2;
/** Share of what is bet on a stream that is bet on ranks; the rest is on levels, which need fewer parts of a strong change. */
const shareOnRanks = 0.75;

interface Remembered {
  part: number;
  at: string | undefined;
  /** `(value - centre) / spread` and `value - centre`. */
  deviations: (number | null)[];
  changes: (number | null)[];
}

/**
 * Watches a stream of parts against the calibration. Feed every part that was judged; good, bad, all of them.
 *
 * Guarantee: as long as parts come from the distribution that the baseline was made from, independently, with at most
 * `maxDefectShare` of them being anything else, the probability of an alarm in any one shift is at most
 * `falseAlarmRate`, with the baseline's confidence. It says nothing about parts that follow one another alike; a slow
 * change of the light is such a dependence, and finding it is the purpose.
 */
export class DriftGuard {
  readonly #settings: DriftSettings;
  readonly #classes: Map<string, { baseline: ClassBaseline; reference: Float32Array | null }>;
  readonly #bets: StreamBets[];
  readonly #ranks = driftStreams.map(() => new RankBets());
  #cameraSettings: CameraSettings | null;
  /** Evidence at which it is an alarm. */
  readonly #limit: number;
  #memory: Remembered[] = [];
  #parts = 0;
  #alarm: DriftAlarm | null = null;

  /** @throws UserError `driftSettings` for rates that make no sense */
  constructor(baseline: DriftBaseline, settings: Partial<DriftSettings> = {}) {
    this.#settings = { ...defaultDriftSettings, ...settings };
    const { falseAlarmRate, partsPerShift, maxDefectShare } = this.#settings;
    if (!(
      falseAlarmRate > 0 &&
      falseAlarmRate < 1 &&
      partsPerShift >= 1 &&
      maxDefectShare >= 0 &&
      maxDefectShare < 0.5
    )) {
      throw new UserError(
        'driftSettings',
        'The drift guard needs a false-alarm rate between 0 and 1, at least one part a shift, and a defect share below a half.',
      );
    }
    this.#limit = partsPerShift / falseAlarmRate;
    this.#cameraSettings = baseline.cameraSettings;
    this.#classes = new Map(
      baseline.classes.map((entry) => [
        entry.className,
        { baseline: entry, reference: entry.reference === null ? null : Float32Array.from(entry.reference) },
      ]),
    );
    const levels = baseline.classes
      .flatMap((entry) => Object.values(entry.streams))
      .reduce((most, stream) => Math.max(most, stream?.levels.length ?? 0), 1);
    this.#bets = driftStreams.map(() => new StreamBets(levels));
  }

  /** Takes the next part. */
  observe(observation: DriftObservation): DriftState {
    const { result, at, cameraSettings } = observation;
    return this.observeValues(result.className, this.valuesOf(observation), at, cameraSettings);
  }

  /** Numbers of a part as the streams have them, e.g. to be stored; null for a class that the baseline doesn't know. */
  valuesOf({ statistics, result }: DriftObservation): StreamValues | null {
    const known = this.#classes.get(result.className);
    return known === undefined ? null : streamValues(statistics, result, known.reference);
  }

  /** Takes the next part by its numbers, e.g. stored ones of a past shift. */
  observeValues(
    className: string,
    values: StreamValues | null,
    at?: string,
    cameraSettings?: DriftObservation['cameraSettings'],
  ): DriftState {
    this.#parts++;
    if ((this.#parts - 1) % this.#settings.partsPerShift === 0) {
      for (const bets of [...this.#bets, ...this.#ranks]) bets.restart();
    }
    const known = this.#classes.get(className);
    if (known !== undefined && values !== null) this.#take(values, known.baseline, at);
    if (cameraSettings !== undefined) this.observeSettings(cameraSettings, at);
    const alarm = this.#alarm;
    const isFresh = alarm !== null && alarm.cause !== 'camera' && this.#parts - alarm.foundAtPart <= secondThoughts;
    if ((alarm === null && this.#evidence() >= this.#limit) || isFresh) {
      this.#alarm = this.#name(alarm?.foundAtPart ?? this.#parts);
    }
    return this.state();
  }

  /**
   * The camera says how it is set; the first time is the reference where the baseline has none. No part has to come: a
   * changed setting is an alarm at once.
   */
  observeSettings(seen: CameraSettings, at?: string): DriftState {
    if (this.#cameraSettings === null) this.#cameraSettings = { ...seen };
    const changed = changedSettings(this.#cameraSettings, seen);
    if (this.#alarm === null && changed.length > 0) this.#alarm = cameraAlarm(changed, this.#parts, at);
    return this.state();
  }

  /** The settings that hold; null: none are known yet. */
  get cameraSettings(): CameraSettings | null {
    return this.#cameraSettings === null ? null : { ...this.#cameraSettings };
  }

  #take(values: StreamValues, baseline: ClassBaseline, at: string | undefined): void {
    const deviations: (number | null)[] = [];
    const changes: (number | null)[] = [];
    driftStreams.forEach((stream, i) => {
      const value = values[stream];
      const known = baseline.streams[stream];
      const { maxDefectShare } = this.#settings;
      this.#bets[i]!.observe(value, known, maxDefectShare, this.#parts);
      const { className } = baseline;
      const oddShare = rankDefects * maxDefectShare;
      this.#ranks[i]!.observe(className, value, known, smallestChange[stream], oddShare, this.#parts);
      const missing = value === null || known === null;
      deviations.push(missing ? null : (value - known.centre) / known.spread);
      changes.push(missing ? null : value - known.centre);
    });
    this.#memory.push({ part: this.#parts, at, deviations, changes });
    if (this.#memory.length > remembered) this.#memory.shift();
  }

  #evidence(): number {
    return driftStreams.reduce((sum, _, i) => sum + this.#evidenceOf(i), 0) / driftStreams.length;
  }

  #evidenceOf(stream: number): number {
    return (1 - shareOnRanks) * this.#bets[stream]!.evidence + shareOnRanks * this.#ranks[stream]!.evidence;
  }

  #changePart(stream: number): number {
    const [levels, ranks] = [this.#bets[stream]!.best, this.#ranks[stream]!.best];
    return levels.gain >= ranks.gain ? levels.start : ranks.start;
  }

  /** Says what changed: of the streams with evidence of their own, the one that went furthest; the product comes last. */
  #name(foundAtPart: number): DriftAlarm {
    const enough = Math.sqrt(this.#limit);
    const candidates = driftStreams
      .map((stream, i) => {
        const since = this.#changePart(i);
        const after = this.#memory.filter(({ part }) => part >= since);
        const size = (pick: 'deviations' | 'changes'): number => {
          const list = after.map((entry) => entry[pick][i]).filter((value) => value !== null && value !== undefined);
          return list.length === 0 ? 0 : median(list);
        };
        const deviation = size('deviations');
        const change = size('changes');
        return {
          stream,
          evidence: this.#evidenceOf(i),
          since,
          change,
          weight: Math.abs(deviation) * importance(stream, change),
        };
      })
      .filter(({ evidence }) => evidence >= enough);
    const seen = candidates.filter(({ stream }) => causeOfStream[stream] !== 'product');
    const ranked = (seen.length > 0 ? seen : candidates).sort((a, b) => b.weight - a.weight);
    // The limit may be reached by several streams together, none of which has much of its own.
    const main = ranked[0] ?? { stream: this.#strongest(), since: foundAtPart, change: 0 };
    const sincePart = Math.min(main.since, foundAtPart);
    const alarm = {
      cause: causeOfStream[main.stream],
      streams: ranked.map(({ stream }) => stream).concat(ranked.length === 0 ? [main.stream] : []),
      foundAtPart,
      sincePart,
      sinceAt: this.#memory.find(({ part }) => part >= sincePart)?.at ?? null,
      change: Math.round(10 * main.change) / 10,
    };
    return { ...alarm, phrase: alarmPhrase(alarm) };
  }

  #strongest(): DriftStream {
    let best = 0;
    driftStreams.forEach((_, i) => {
      if (this.#evidenceOf(i) > this.#evidenceOf(best)) best = i;
    });
    return driftStreams[best]!;
  }

  /** Where things stand, without a new part. */
  state(): DriftState {
    const recent = this.#memory.slice(-recentParts);
    const scale = (evidence: number): number => {
      const idle = Math.max(1, this.#parts % this.#settings.partsPerShift);
      return Math.min(1, Math.max(0, Math.log(evidence / idle) / Math.log(this.#limit / idle)));
    };
    return {
      parts: this.#parts,
      covered: this.#alarm === null,
      alarm: this.#alarm,
      evidence: scale(this.#evidence()),
      streams: driftStreams.map((stream, i) => {
        const list = recent
          .map(({ deviations }) => deviations[i])
          .filter((value) => value !== null && value !== undefined);
        const sum = list.reduce((total, value) => total + Math.min(winsorAt, Math.max(-winsorAt, value)), 0);
        return {
          stream,
          evidence: scale(this.#evidenceOf(i) / driftStreams.length),
          recentDeviation: list.length === 0 ? 0 : sum / list.length,
        };
      }),
    };
  }

  /** Forgets the alarm and all evidence, e.g. after the lamp was put right. The baseline stays. */
  reset(): void {
    this.#alarm = null;
    this.#memory = [];
    this.#bets.forEach((_, i, all) => (all[i] = new StreamBets(all[i]!.wealth.length / 6)));
    this.#ranks.forEach((_, i, all) => (all[i] = new RankBets()));
    this.#parts = 0;
  }
}

/** Streams whose change is beyond what matters count by how far; the others hardly. */
function importance(stream: DriftStream, change: number): number {
  return Math.min(1, Math.abs(change) / (2 * smallestChange[stream]));
}
