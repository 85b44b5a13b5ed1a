import { reactive, watch } from 'vue';

export interface HeatDisplay {
  heat: boolean;
  contour: boolean;
  opacity: number;
}

const key = 'twinspect.heat';

/** How this station likes its heat maps; kept on this machine. */
export function useDisplay(): HeatDisplay {
  const display = reactive<HeatDisplay>({ heat: true, contour: true, opacity: 0.75 });
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<HeatDisplay>;
    if (typeof kept.heat === 'boolean') display.heat = kept.heat;
    if (typeof kept.contour === 'boolean') display.contour = kept.contour;
    if (typeof kept.opacity === 'number') display.opacity = Math.min(1, Math.max(0.2, kept.opacity));
  } catch {
    // Unreadable: the usual display.
  }
  watch(display, () => localStorage.setItem(key, JSON.stringify(display)));
  return display;
}
