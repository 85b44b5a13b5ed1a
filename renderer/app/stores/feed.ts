import { defineStore } from 'pinia';
import { computed, markRaw, ref, shallowRef } from 'vue';
import type { FeedState } from '../../../shared/ipc/inspection.ts';
import type { LivePart } from '../../../shared/ipc/live.ts';
import type { StationCounters, StationPart } from '../../../shared/station/domain.ts';
import { onWorker, tellWorker } from '../live/live-worker.ts';
import { attempt } from '../station-client.ts';

/** Parts that the strip at the bottom of the operator's screen can show. */
const mostRemembered = 60;

/**
 * The feed of the open project: its state (from events) and the judged parts (straight from the process that judges,
 * over a MessagePort). Parts are plain frozen-in objects in shallow refs: pictures and maps never become reactive.
 */
export const useFeed = defineStore('feed', () => {
  const state = shallowRef<FeedState | null>(null);
  /** Newest last. */
  const parts = shallowRef<readonly LivePart[]>([]);
  const liveCounters = shallowRef<StationCounters | null>(null);
  /** Grows with every part that arrives: cheap to watch. */
  const arrivals = ref(0);
  let projectId: string | null = null;

  const counters = computed(() => liveCounters.value ?? state.value?.counters ?? null);
  /** Also in a fault that may pass by itself. */
  const running = computed(() => state.value?.wanted === true);

  function take(now: FeedState): void {
    if (now.projectId !== projectId) return;
    state.value = now;
    liveCounters.value = null;
  }

  /** Follows another project: its state, and a live channel of its own. */
  async function follow(id: string | null): Promise<void> {
    projectId = id;
    state.value = null;
    parts.value = [];
    liveCounters.value = null;
    if (id === null) return;
    const now = await attempt('feed.state', { projectId: id });
    if (now !== null) take(now);
    await attempt('feed.openLive', { projectId: id });
  }

  /** Takes the port the preload hands on: the worker reads it. */
  function connect(port: MessagePort): void {
    tellWorker({ type: 'port', port }, [port]);
  }
  onWorker((message) => {
    if (message.type !== 'part') return;
    takePart(message);
    // Acknowledged after the frame that shows it: a slow screen slows the live view, never the line.
    requestAnimationFrame(() => tellWorker({ type: 'ack' }));
  });

  function takePart(live: LivePart): void {
    if (live.part.projectId !== projectId) return;
    const kept = parts.value.filter((one) => one.part.id !== live.part.id);
    parts.value = [...kept.slice(1 - mostRemembered), markRaw(live)];
    liveCounters.value = live.counters;
    arrivals.value++;
  }

  /** A person answered (or took back): the strip shows it at once. */
  function replacePart(part: StationPart): void {
    parts.value = parts.value.map((one) => (one.part.id === part.id ? markRaw({ ...one, part }) : one));
  }

  return {
    state,
    parts,
    counters,
    arrivals,
    running,
    take,
    follow,
    connect,
    takePart,
    replacePart,
  };
});
