import { onBeforeUnmount, onMounted } from 'vue';
import { useSession } from '../stores/session.ts';
import { useSettings } from '../stores/settings.ts';

/** Locks the screen when nobody has touched it for the minutes that the settings say. Feeds go on. */
export function useAutoLock(): void {
  const session = useSession();
  const settings = useSettings();
  let touchedAt = performance.now();
  let timer: ReturnType<typeof setInterval> | undefined;

  const touch = (): void => {
    touchedAt = performance.now();
  };
  const touches = ['pointerdown', 'pointermove', 'keydown', 'wheel'] as const;

  function check(): void {
    const minutes = settings.settings?.lockAfterMin ?? 0;
    if (minutes === 0 || session.session?.accounts !== true || session.locked) return;
    if (performance.now() - touchedAt >= minutes * 60_000) void session.signOut();
  }

  onMounted(() => {
    for (const name of touches) window.addEventListener(name, touch, { passive: true });
    timer = setInterval(check, 5_000);
  });
  onBeforeUnmount(() => {
    for (const name of touches) window.removeEventListener(name, touch);
    clearInterval(timer);
  });
}
