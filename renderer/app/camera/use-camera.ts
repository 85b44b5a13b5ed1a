import { defineStore } from 'pinia';
import { attempt, call } from '../station-client.ts';
import { computed, ref, shallowRef } from 'vue';
import type { CameraWord } from '../../../shared/ipc/live.ts';
import type { FeedSource } from '../../../shared/station/domain.ts';
import { useProject } from '../stores/project.ts';
import { onWorker, tellWorker } from '../live/live-worker.ts';
import type { CameraStats, CameraTrigger } from '../live/messages.ts';
import { constraintsOf } from './controls.ts';
import { problemsOf, type LookProblem } from './look.ts';
import type { View } from './seen-cells.ts';

export type CameraSource = Extract<FeedSource, { kind: 'camera' }>;
/** What a feed's camera is opened for. */
export function triggerOf({ region, ignore }: View, { trigger, timerMs }: CameraSource): CameraTrigger {
  return { kind: trigger, timerMs, view: JSON.parse(JSON.stringify({ region, ignore })) as View };
}
/** A look at it only: pictures of good parts, setting it up. */
export const justLooking: CameraTrigger = { kind: 'none', timerMs: 1000, view: { region: null, ignore: [] } };

/** Why there is no picture. */
export type CameraFault = NonNullable<CameraWord['fault']>;

/** Reads frames off a track; typed here because TypeScript's own library does not know it. */
declare class MediaStreamTrackProcessor {
  constructor(options: { track: MediaStreamTrack; maxBufferSize?: number });
  readonly readable: ReadableStream<VideoFrame>;
}

const retryMs = 1_500;
const noFramesMs = 4_000;

/**
 * One camera at a time, for inspection and for taking pictures of good parts. Pulled out, it waits until the camera is
 * there again and goes on by itself; settings the recipe locks are set again whenever they drift.
 */
export const useCamera = defineStore('camera', () => {
  const source = shallowRef<CameraSource | null>(null);
  const stream = shallowRef<MediaStream | null>(null);
  const stats = shallowRef<CameraStats | null>(null);
  const fault = ref<CameraFault | null>(null);
  /** Names of locked settings that the device doesn't hold. */
  const drifted = ref<string[]>([]);
  const refused = ref(0);
  const problems = computed<LookProblem[]>(() => (stats.value === null ? [] : problemsOf(stats.value.look)));
  const running = computed(() => stream.value !== null && fault.value === null);

  /** `label`: the device it is, known from its first picture on: whatever else is plugged in, it's waited for. */
  let wanted: { source: CameraSource; trigger: CameraTrigger; label: string; seen: boolean } | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let watch: ReturnType<typeof setInterval> | undefined;
  let lastStatsAt = 0;
  let opening = 0;
  let nextGrab = 1;
  const grabs = new Map<number, (png: Uint8Array | null) => void>();

  onWorker((message) => {
    if (message.type === 'stats') {
      stats.value = message;
      lastStatsAt = performance.now();
      if (fault.value === 'noFrames') fault.value = null;
    } else if (message.type === 'refused') refused.value++;
    else if (message.type === 'cameraEnded') lose('unplugged');
    else if (message.type === 'grabbed') {
      grabs.get(message.id)?.(message.png);
      grabs.delete(message.id);
    }
  });
  navigator.mediaDevices?.addEventListener('devicechange', () => {
    if (wanted !== null && fault.value !== null) void open();
  });

  /** @param trigger of a feed (`triggerOf`), or `justLooking` */
  async function start(next: CameraSource, trigger: CameraTrigger): Promise<void> {
    stop();
    wanted = { source: next, trigger, label: next.deviceLabel, seen: false };
    source.value = next;
    refused.value = 0;
    await open();
  }

  function stop(): void {
    wanted = null;
    source.value = null;
    opening++;
    clearTimeout(retry);
    clearInterval(watch);
    release();
    fault.value = null;
    stats.value = null;
    drifted.value = [];
    void attempt('system.useCamera', { wanted: false });
  }

  function release(): void {
    if (stream.value === null) return;
    tellWorker({ type: 'stopCamera' });
    for (const track of stream.value.getTracks()) track.stop();
    stream.value = null;
  }

  function lose(why: CameraFault): void {
    if (wanted === null) return;
    release();
    fault.value = why;
    // Said again with every attempt that fails. Taking pictures of good parts is no feed.
    if (wanted.trigger.kind !== 'none') tellWorker({ type: 'cameraFault', fault: why });
    stats.value = null;
    clearTimeout(retry);
    retry = setTimeout(() => void open(), retryMs);
  }

  async function open(): Promise<void> {
    if (wanted === null) return;
    const turn = ++opening;
    const { source: asked, trigger, label, seen } = wanted;
    clearTimeout(retry);
    release();
    try {
      // Without this the permission is denied: nothing may look without a person having asked for it.
      await call('system.useCamera', { wanted: true });
      const device = await findDevice(label);
      if (device === null) {
        if (turn === opening) lose(seen ? 'unplugged' : 'noCamera');
        return;
      }
      const opened = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: {
          ...(device.deviceId === '' ? {} : { deviceId: { exact: device.deviceId } }),
          width: { ideal: asked.widthPx },
          height: { ideal: asked.heightPx },
          frameRate: { ideal: asked.frameRate },
        },
      });
      const track = opened.getVideoTracks()[0];
      if (turn === opening && track !== undefined) await lock(track, asked.locked);
      if (turn !== opening || track === undefined) {
        for (const one of opened.getTracks()) one.stop();
        return;
      }
      track.addEventListener('ended', () => lose('unplugged'));
      const frames = new MediaStreamTrackProcessor({ track, maxBufferSize: 2 }).readable;
      tellWorker({ type: 'camera', frames, trigger: { ...trigger }, again: seen }, [frames]);
      wanted = { ...wanted, label: track.label, seen: true };
      stream.value = opened;
      fault.value = null;
      lastStatsAt = performance.now();
      clearInterval(watch);
      watch = setInterval(() => void check(track), 2_000);
      tellSettings(track);
    } catch (error) {
      if (turn === opening) lose(faultOf(error));
    }
  }

  /** Frames still come, and the device still holds what is locked. */
  async function check(track: MediaStreamTrack): Promise<void> {
    if (stream.value === null || wanted === null) return;
    const { locked } = wanted.source;
    if (performance.now() - lastStatsAt > noFramesMs) {
      lose('noFrames');
      return;
    }
    tellSettings(track);
    drifted.value = driftOf(track, locked);
    if (drifted.value.length > 0) await lock(track, locked);
  }

  /** The station's drift guard hears how the camera is set, before anything is put right: parts were taken with it. */
  function tellSettings(track: MediaStreamTrack): void {
    const { projectId } = useProject();
    if (projectId === null || wanted === null || wanted.trigger.kind === 'none') return;
    const settings = Object.fromEntries(
      Object.entries(track.getSettings() as Readonly<Record<string, unknown>>).filter(
        (entry): entry is [string, string | number | boolean] =>
          ['string', 'number', 'boolean'].includes(typeof entry[1]) && String(entry[1]).length <= 200,
      ),
    );
    // Whoever can't be told now is told again in two seconds.
    void call('drift.cameraSettings', { projectId, settings }).catch(() => undefined);
  }

  /** On-screen button and key. @param serial of the part, where it is known */
  function trigger(serial: string | null = null): void {
    tellWorker({ type: 'trigger', serial });
  }

  function learnEmpty(): void {
    tellWorker({ type: 'learnEmpty' });
  }

  /** The next frame as PNG, with the pixels inspection would see. @returns null when no frame comes */
  function grab(): Promise<Uint8Array | null> {
    const id = nextGrab++;
    return new Promise((resolve) => {
      grabs.set(id, resolve);
      setTimeout(() => {
        grabs.delete(id);
        resolve(null);
      }, 3_000);
      tellWorker({ type: 'grab', id });
    });
  }

  /** Settings the device has, with their ranges, for the recipe's editor. */
  function capabilities(): { capabilities: MediaTrackCapabilities; settings: MediaTrackSettings } | null {
    const track = stream.value?.getVideoTracks()[0];
    return track === undefined ? null : { capabilities: track.getCapabilities(), settings: track.getSettings() };
  }

  /** Sets the camera, while a person sets it up. What it can't take, it leaves as it is. */
  async function adjust(settings: CameraSource['locked']): Promise<void> {
    const track = stream.value?.getVideoTracks()[0];
    if (track !== undefined) await lock(track, settings);
  }

  /** What is held fast from now on. */
  function hold(locked: CameraSource['locked']): void {
    if (wanted !== null) wanted = { ...wanted, source: { ...wanted.source, locked: { ...locked } } };
  }

  return {
    source,
    stream,
    stats,
    fault,
    drifted,
    refused,
    problems,
    running,
    start,
    retry: open,
    stop,
    trigger,
    learnEmpty,
    grab,
    capabilities,
    adjust,
    hold,
  };
});

/** Cameras of this machine. Labels are known once a camera was allowed. */
async function listCameras(): Promise<MediaDeviceInfo[]> {
  return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === 'videoinput');
}

/** Names of this machine's cameras, for whoever sets one up; empty where the system doesn't tell them yet. */
export async function cameraNames(): Promise<string[]> {
  const camera = useCamera();
  await attempt('system.useCamera', { wanted: true });
  const names = (await listCameras()).map(({ label }) => label).filter((label) => label !== '');
  if (camera.source === null) await attempt('system.useCamera', { wanted: false });
  return [...new Set(names)];
}

async function findDevice(label: string): Promise<{ deviceId: string } | null> {
  let cameras = await listCameras();
  if (label === '') return cameras[0] ?? null;
  if (cameras.some((camera) => camera.label === '')) {
    // Labels stay hidden until the first stream.
    const first = await navigator.mediaDevices.getUserMedia({ video: true });
    for (const track of first.getTracks()) track.stop();
    cameras = await listCameras();
  }
  return cameras.find((camera) => camera.label === label) ?? null;
}

function faultOf(error: unknown): CameraFault {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'noCamera';
  if (name === 'NotReadableError' || name === 'AbortError') return 'inUse';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied';
  return 'failed';
}

async function lock(track: MediaStreamTrack, locked: CameraSource['locked']): Promise<void> {
  const { advanced } = constraintsOf(locked, { ...track.getCapabilities() });
  if (advanced.length === 0) return;
  try {
    await track.applyConstraints({ advanced: advanced as MediaTrackConstraintSet[] });
  } catch {
    // What the device can't hold shows as drifted; the feed goes on.
  }
}

function driftOf(track: MediaStreamTrack, locked: CameraSource['locked']): string[] {
  const held = track.getSettings() as Readonly<Record<string, unknown>>;
  return Object.entries(locked).flatMap(([name, value]) => {
    const now = held[name];
    const same =
      typeof value === 'number' && typeof now === 'number'
        ? Math.abs(now - value) <= 1e-6 + Math.abs(value) / 100
        : now === value;
    return same ? [] : [name];
  });
}
