import { defineStore } from 'pinia';
import { ref } from 'vue';

export type ToastLevel = 'info' | 'warning' | 'error';

export interface Toast {
  id: number;
  level: ToastLevel;
  message: string;
  remedy?: string | undefined;
  /** One thing to do about it, e.g. Undo. */
  action?: { label: string; run: () => void } | undefined;
}

const shownMs: Record<ToastLevel, number> = { info: 5_000, warning: 10_000, error: 15_000 };

/** Short messages at the edge of the window. Errors stay longest; every one can be closed. */
export const useToasts = defineStore('toasts', () => {
  const toasts = ref<Toast[]>([]);
  let next = 1;

  function show(level: ToastLevel, message: string, more: Pick<Toast, 'remedy' | 'action'> = {}): number {
    // The same words twice in a row (a camera that fails every second) stay one toast.
    const same = toasts.value.find((toast) => toast.message === message && toast.level === level);
    if (same !== undefined) return same.id;
    const id = next++;
    toasts.value.push({ id, level, message, ...more });
    if (toasts.value.length > 4) toasts.value.shift();
    setTimeout(() => close(id), shownMs[level]);
    return id;
  }

  function showError(error: unknown): void {
    const { message, remedy } = error as { message?: unknown; remedy?: unknown };
    show('error', typeof message === 'string' && message !== '' ? message : String(error), {
      remedy: typeof remedy === 'string' ? remedy : undefined,
    });
  }

  function close(id: number): void {
    toasts.value = toasts.value.filter((toast) => toast.id !== id);
  }

  return { toasts, show, showError, close };
});
