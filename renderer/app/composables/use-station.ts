import { onBeforeUnmount, onMounted, ref, watch } from 'vue';
import type { StationEvent } from '../../../shared/ipc/contract.ts';
import { useDrift } from '../stores/drift.ts';
import { useFeed } from '../stores/feed.ts';
import { useNotices } from '../stores/notices.ts';
import { useProject } from '../stores/project.ts';
import { useScoring } from '../stores/scoring.ts';
import { useSession } from '../stores/session.ts';
import { useSettings } from '../stores/settings.ts';
import { useShadow } from '../stores/shadow.ts';
import { useStudies } from '../stores/study.ts';
import { useToasts } from '../stores/toasts.ts';
import { useTraining } from '../stores/training.ts';

/** Message with which the preload hands the live port to the window. */
const livePortMessage = 'station:live-port';

/** Connects the stores with the station: first readings, events, the live port. Used once, by the app. */
export function useStation() {
  const session = useSession();
  const settings = useSettings();
  const project = useProject();
  const feed = useFeed();
  const training = useTraining();
  const scoring = useScoring();
  const notices = useNotices();
  const studies = useStudies();
  const shadow = useShadow();
  const drift = useDrift();
  const toasts = useToasts();
  const ready = ref(false);
  const failed = ref<string | null>(null);

  function onEvent(event: StationEvent): void {
    if (event.type === 'feed') feed.take(event.feed);
    else if (event.type === 'training') training.take(event.training);
    else if (event.type === 'scoring') scoring.take(event);
    else if (event.type === 'importing') notices.takeImport(event);
    else if (event.type === 'models' || event.type === 'projects') void project.refresh();
    else if (event.type === 'shadow') shadow.changed(event.projectId);
    else if (event.type === 'drift') drift.changed(event.projectId);
    else if (event.type === 'studies') studies.changed(event.projectId);
    else if (event.type === 'settings') settings.take(event.settings);
    else if (event.type === 'session') session.take(event.session);
    else notices.take(event);
  }

  function onMessage(message: MessageEvent): void {
    if (message.source !== window || message.data !== livePortMessage) return;
    const port = message.ports[0];
    if (port !== undefined) feed.connect(port);
  }

  async function start(): Promise<void> {
    failed.value = null;
    try {
      await Promise.all([session.load(), settings.load()]);
      if (!session.locked) await enter();
      ready.value = true;
    } catch (error) {
      failed.value = error instanceof Error ? error.message : String(error);
    }
  }

  async function enter(): Promise<void> {
    await project.load();
    // Somebody else may be at the screen now.
    void studies.load();
    void notices.load();
  }

  let stop: (() => void) | null = null;
  onMounted(() => {
    window.addEventListener('message', onMessage);
    stop = window.station.onEvent(onEvent);
    void start();
  });
  onBeforeUnmount(() => {
    window.removeEventListener('message', onMessage);
    stop?.();
  });

  watch(
    () => project.projectId,
    (id) => {
      void feed.follow(id);
      void studies.follow(id);
      void drift.follow(id);
      if (id !== null) void training.load(id);
    },
  );
  // Whoever unlocks may see other projects and do other things than the one before.
  watch(
    () => session.user?.id,
    (now, before) => {
      if (ready.value && now !== undefined && now !== before) void enter().catch(toasts.showError);
    },
  );

  return { ready, failed, start };
}
