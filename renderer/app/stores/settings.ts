import { defineStore } from 'pinia';
import { computed, ref, watch } from 'vue';
import type { Settings } from '../../../shared/ipc/settings.ts';
import { setLanguage } from '../i18n/index.ts';
import { call } from '../station-client.ts';

/** The station's settings, and what follows from them at once: theme and language of the window. */
export const useSettings = defineStore('settings', () => {
  const settings = ref<Settings | null>(null);
  const systemDark = window.matchMedia('(prefers-color-scheme: dark)');
  const dark = ref(systemDark.matches);
  systemDark.addEventListener('change', (event) => (dark.value = event.matches));

  const theme = computed(() => {
    const chosen = settings.value?.theme ?? 'system';
    if (chosen !== 'system') return chosen;
    return dark.value ? 'dark' : 'light';
  });
  watch(theme, (now) => (document.documentElement.dataset['theme'] = now), { immediate: true });

  function take(now: Settings): void {
    settings.value = now;
    setLanguage(now.language);
  }

  async function load(): Promise<void> {
    take(await call('settings.get', {}));
  }

  /** Language, theme and sound are everybody's to change. */
  async function setAppearance(change: Partial<Pick<Settings, 'language' | 'theme' | 'sound'>>): Promise<void> {
    if (settings.value === null) return;
    const { language, theme: chosen, sound } = { ...settings.value, ...change };
    take(await call('settings.setAppearance', { language, theme: chosen, sound }));
  }

  return { settings, theme, take, load, setAppearance };
});
