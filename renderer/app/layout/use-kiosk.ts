import { ref } from 'vue';

const on = ref(false);
document.addEventListener('fullscreenchange', () => (on.value = document.fullscreenElement !== null));

/** Full screen without the rail: nothing but the operator's work. Escape or the button leaves it. */
export function useKiosk() {
  async function toggle(): Promise<void> {
    if (document.fullscreenElement === null) await document.documentElement.requestFullscreen();
    else await document.exitFullscreen();
  }
  return { on, toggle };
}
