import { defineStore } from 'pinia';
import { computed, ref, toRaw, watch } from 'vue';
import type { Settings } from '../../../../shared/ipc/settings.ts';
import { attempt } from '../../station-client.ts';
import { useSettings } from '../../stores/settings.ts';

/** What an administrator edits and then saves; language, theme and sound hold at once and are not part of it. */
export type Draft = Omit<Settings, 'language' | 'theme' | 'sound'>;
type Group = 'station' | 'storage';
const groups = ['station', 'storage'] as const;

/** Where what isn't saved yet outlasts the window, group by group. */
const keptKey = 'twinspect.typed.settings';
function readKept(): Partial<Record<Group, Partial<Draft>>> {
  try {
    return JSON.parse(localStorage.getItem(keptKey) ?? '{}') as Partial<Record<Group, Partial<Draft>>>;
  } catch {
    return {};
  }
}

const keys: Record<Group, readonly (keyof Draft)[]> = {
  station: ['stationName', 'engine', 'shifts', 'lockAfterMin'],
  storage: ['storage'],
};
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const startOf = /^([01]\d|2[0-3]):[0-5]\d$/;

/** Whether a person may save it as it stands. */
export function isComplete({ stationName, shifts, lockAfterMin, storage }: Draft): boolean {
  const within = (value: unknown, low: number, high: number, whole = true): boolean =>
    typeof value === 'number' && value >= low && value <= high && (!whole || Number.isInteger(value));
  return (
    stationName.trim() !== '' &&
    shifts.every(({ name, start }) => name.trim() !== '' && startOf.test(start)) &&
    within(lockAfterMin, 0, 480) &&
    within(storage.limitGb, 1, 100_000, false) &&
    within(storage.keepFailsDays, 1, 36_500) &&
    within(storage.keepPassesDays, 0, 36_500) &&
    within(storage.keepEveryNthPass, 1, 10_000)
  );
}

/**
 * The settings as they are being edited. Kept while somebody looks at another screen, and on this machine should the
 * window end before they are saved: nothing typed is lost.
 */
export const useSettingsDraft = defineStore('settingsDraft', () => {
  const store = useSettings();
  const draft = ref<Draft | null>(null);
  const saving = ref(false);

  function copy(settings: Settings): Draft {
    const { stationName, engine, shifts, lockAfterMin, storage } = structuredClone(toRaw(settings));
    return { stationName, engine, shifts, lockAfterMin, storage };
  }
  function changed(group: Group, than: Settings | null = store.settings): boolean {
    const now = draft.value;
    return now !== null && than !== null && keys[group].some((key) => !same(now[key], than[key]));
  }
  // What nobody is editing follows the station.
  watch(
    () => store.settings,
    (settings, before) => {
      if (settings === null) return;
      const fresh = copy(settings);
      if (draft.value === null || before === undefined || before === null) {
        draft.value = fresh;
        const kept = readKept();
        for (const group of groups) {
          const typed = kept[group] ?? {};
          for (const key of keys[group]) if (key in typed) Object.assign(draft.value, { [key]: typed[key] });
        }
      } else
        for (const group of groups)
          if (!changed(group, before)) for (const key of keys[group]) Object.assign(draft.value, { [key]: fresh[key] });
    },
    { immediate: true },
  );

  watch(
    [draft, () => store.settings],
    () => {
      const typed = Object.fromEntries(
        groups
          .filter((group) => changed(group))
          .map((group) => [group, Object.fromEntries(keys[group].map((key) => [key, draft.value![key]]))]),
      );
      if (Object.keys(typed).length === 0) localStorage.removeItem(keptKey);
      else localStorage.setItem(keptKey, JSON.stringify(typed));
    },
    { deep: true },
  );

  /** @returns whether the station took it */
  async function save(group: Group): Promise<boolean> {
    if (draft.value === null || store.settings === null) return false;
    const part = Object.fromEntries(keys[group].map((key) => [key, draft.value![key]]));
    saving.value = true;
    const taken = await attempt('settings.set', { ...store.settings, ...part });
    saving.value = false;
    if (taken === null) return false;
    store.take(taken);
    discard(group);
    return true;
  }

  function discard(group: Group): void {
    if (draft.value === null || store.settings === null) return;
    const fresh = copy(store.settings);
    for (const key of keys[group]) Object.assign(draft.value, { [key]: fresh[key] });
  }

  return {
    draft,
    saving,
    complete: computed(() => draft.value !== null && isComplete(draft.value)),
    changed,
    save,
    discard,
  };
});
