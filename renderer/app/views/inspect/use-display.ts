import { reactive, watch } from 'vue';

export interface HeatDisplay {
  heat: boolean;
  contour: boolean;
  opacity: number;
  /** The most similar good part lies beside the part. */
  compare: boolean;
}

const key = 'twinspect.heat';

/** How this station likes its heat maps; kept on this machine. */
export function useDisplay(): HeatDisplay {
  const display = reactive<HeatDisplay>({ heat: true, contour: true, opacity: 0.75, compare: false });
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<HeatDisplay>;
    for (const name of ['heat', 'contour', 'compare'] as const)
      if (typeof kept[name] === 'boolean') display[name] = kept[name];
    if (typeof kept.opacity === 'number') display.opacity = Math.min(1, Math.max(0.2, kept.opacity));
  } catch {
    // Unreadable: the usual display.
  }
  watch(display, () => localStorage.setItem(key, JSON.stringify(display)));
  return display;
}
