import type { BrowserWindow, Input } from 'electron';

/** Size of the window, in points of the system, that the screens are drawn for. */
const drawnFor = { width: 1920, height: 1080 };
const steps = [0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3] as const;

/**
 * How much larger a window of this size shows everything, at least 1: on a 4K screen that the system doesn't scale the
 * operator would otherwise need a magnifying glass.
 */
export function factorFor(width: number, height: number): number {
  return Math.max(1, Math.floor(Math.min(width / drawnFor.width, height / drawnFor.height) * 4) / 4);
}

/** The next step of a person's own zoom; null: the key means something else. @param now the step that holds */
export function nextZoom(now: number, { type, key, control, meta, alt }: Input): number | null {
  if (type !== 'keyDown' || !(control || meta) || alt) return null;
  if (key === '0') return 1;
  if (key === '+' || key === '=') return steps.find((step) => step > now) ?? now;
  if (key === '-') return steps.findLast((step) => step < now) ?? now;
  return null;
}

/** Zooms with the size of the window, and by Ctrl and plus, minus or 0 as everywhere. */
export function keepReadable(window: BrowserWindow): void {
  const { webContents } = window;
  let own = 1;
  const apply = (): void => {
    const [width = drawnFor.width, height = drawnFor.height] = window.getContentSize();
    webContents.setZoomFactor(own * factorFor(width, height));
  };
  webContents.on('before-input-event', (event, input) => {
    const next = nextZoom(own, input);
    if (next === null) return;
    event.preventDefault();
    own = next;
    apply();
  });
  webContents.on('did-finish-load', apply);
  window.on('resize', apply);
}
