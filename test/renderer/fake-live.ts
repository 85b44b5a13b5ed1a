/** The process that judges, faked: a feed that replays the sample and sends parts over a MessagePort. */
import type { FeedState } from '../../shared/ipc/inspection.ts';
import type { CameraFrame, LiveFromJudge, LivePart, LiveToJudge } from '../../shared/ipc/live.ts';
import type { StationCounters } from '../../shared/station/domain.ts';
import { makePart, type FakeData, type SamplePicture } from './fake-data.ts';

const mapSide = 96;

export class FakeLive {
  readonly #sample: readonly SamplePicture[];
  readonly #data: FakeData;
  readonly #tell: (feed: FeedState) => void;
  #port: MessagePort | null = null;
  #projectId = '';
  #timer: ReturnType<typeof setInterval> | undefined;
  #next = 0;
  #id: number;
  #state: FeedState;
  readonly #intervalMs: number;
  readonly #counters: StationCounters = {
    presented: 400,
    pass: 371,
    fail: 18,
    review: 11,
    noDecision: 0,
    waitingForReview: 7,
  };
  /** Frames the camera sent, for a test to look at. */
  readonly frames: Omit<CameraFrame, 'i420'>[] = [];

  constructor(
    sample: readonly SamplePicture[],
    data: FakeData,
    tell: (feed: FeedState) => void,
    options: { feed?: FeedState['state']; intervalMs?: number; empty?: boolean },
  ) {
    this.#sample = sample.filter((one) => one.split === 'test');
    this.#data = data;
    this.#tell = tell;
    this.#intervalMs = options.intervalMs ?? 700;
    this.#id = data.parts.length;
    if (options.empty === true)
      Object.assign(this.#counters, { presented: 0, pass: 0, fail: 0, review: 0, waitingForReview: 0 });
    this.#state = {
      projectId: 'papers',
      recipeId: null,
      state: 'stopped',
      wanted: false,
      since: new Date().toISOString(),
      fault: null,
      counters: this.#counters,
      lot: '2291',
      skippedFrames: 0,
      modelId: 'm2',
      engine: 'cpu',
      latencyMs: { median: 41.2, p95: 55.8 },
    };
    if (options.feed === 'fault') this.fault();
    else if (options.feed !== undefined && options.feed !== 'stopped')
      this.#set({ state: options.feed, wanted: true, recipeId: 'r1' });
  }

  #set(change: Partial<FeedState>): FeedState {
    this.#state = { ...this.#state, since: new Date().toISOString(), ...change, counters: { ...this.#counters } };
    this.#tell(this.#state);
    return this.#state;
  }

  setLot(lot: string): FeedState {
    return this.#set({ lot });
  }

  stateOf(projectId: string): FeedState {
    const zero = { presented: 0, pass: 0, fail: 0, review: 0, noDecision: 0, waitingForReview: 0 };
    return projectId === 'papers'
      ? { ...this.#state, counters: { ...this.#counters } }
      : {
          ...this.#state,
          projectId,
          state: 'stopped',
          wanted: false,
          fault: null,
          recipeId: null,
          counters: zero,
          modelId: null,
        };
  }

  start(recipeId: string): FeedState {
    const recipe = this.#data.recipes.find((one) => one.id === recipeId);
    clearInterval(this.#timer);
    if (recipe?.source.kind === 'replay') this.#timer = setInterval(() => void this.judgeNext(), this.#intervalMs);
    return this.#set({ state: 'waiting', wanted: true, recipeId, fault: null });
  }

  stop(): FeedState {
    clearInterval(this.#timer);
    return this.#set({ state: 'stopped', wanted: false });
  }

  fault(): FeedState {
    clearInterval(this.#timer);
    return this.#set({
      state: 'fault',
      wanted: false,
      fault: {
        code: 'inferenceLost',
        message: 'The judging process stopped (it ended with code 9); it is being started again.',
        remedy: 'Parts in its midst are judged again, or have no decision.',
        acknowledged: false,
      },
    });
  }

  acknowledge(): FeedState {
    return this.#set({ fault: this.#state.fault === null ? null : { ...this.#state.fault, acknowledged: true } });
  }

  open(projectId: string): void {
    this.#projectId = projectId;
    const channel = new MessageChannel();
    this.#port = channel.port1;
    this.#port.onmessage = ({ data }: MessageEvent<LiveToJudge>) => {
      if (data.type !== 'frame') return;
      const { type, triggered, width, height, colours, takenAt, serial } = data;
      this.frames.push({ type, triggered, width, height, colours, takenAt, serial });
      if (triggered) void this.judgeNext().then((id) => this.#send({ type: 'frameTaken', partId: id }));
      else this.#send({ type: 'frameTaken', partId: null });
    };
    window.postMessage('station:live-port', location.origin, [channel.port2]);
  }

  #send(message: LiveFromJudge): void {
    this.#port?.postMessage(message);
  }

  /** Judges the next picture of the sample. @returns the part's id */
  async judgeNext(): Promise<number> {
    const one = this.#sample[(this.#next++ * 5) % this.#sample.length]!;
    const part = makePart(++this.#id, one, new Date().toISOString());
    const similar = this.#data.pictures.find(
      (other) => other.use === 'normal' && other.fileName.startsWith(one.className),
    );
    part.similarSha256 = similar?.sha256 ?? null;
    this.#data.parts.push(part);
    this.#counters.presented++;
    this.#counters[part.verdict!]++;
    if (part.verdict === 'review') this.#counters.waitingForReview++;
    const { heat, hottest } = await heatOf(one);
    const picture = await fetch(`/picture/papers/${one.sha256}`).then((response) => response.arrayBuffer());
    const message: LivePart = {
      type: 'part',
      part,
      jpeg: new Uint8Array(picture),
      heat,
      shares: { local: 0.83, semantic: 0.17, memory: 0.42 },
      hottest,
      counters: { ...this.#counters },
    };
    if (this.#projectId === 'papers') this.#send(message);
    return part.id;
  }
}

/** A map that is hot where the ground truth says so, with a little noise below the review level. */
async function heatOf(one: SamplePicture): Promise<Required<Pick<LivePart, 'heat' | 'hottest'>>> {
  const bytes = new Uint8Array(mapSide * mapSide);
  const heat = { width: mapSide, height: mapSide, bytes };
  if (one.mask === null) return { heat, hottest: null };
  const bitmap = await createImageBitmap(await fetch(one.mask).then((response) => response.blob()));
  const canvas = new OffscreenCanvas(mapSide, mapSide);
  const context = canvas.getContext('2d')!;
  context.filter = 'blur(2px)';
  context.drawImage(bitmap, 0, 0, mapSide, mapSide);
  const { data } = context.getImageData(0, 0, mapSide, mapSide);
  let sum = 0;
  let x = 0;
  let y = 0;
  for (let i = 0; i < bytes.length; i++) {
    const value = Math.min(255, data[i * 4]! * 2.2);
    bytes[i] = value;
    sum += value;
    x += value * (i % mapSide);
    y += value * Math.floor(i / mapSide);
  }
  const hottest =
    sum === 0 ? null : { x: x / sum / mapSide, y: y / sum / mapSide, areaPx: Math.round((sum / 255) * 60) };
  return { heat, hottest };
}
