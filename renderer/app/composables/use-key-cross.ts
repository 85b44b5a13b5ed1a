import { computed, ref, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import type { Region } from '../../../shared/station/domain.ts';
import { covers, type Point } from '../regions.ts';

const steps: Readonly<Record<string, readonly [x: number, y: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** What is drawn on by keyboard: the layer over the picture. */
export interface KeyedSurface {
  /** Corners that are closed by a key on the first or last of them; else two corners make a box. */
  polygon: () => boolean;
  /** Corners set so far. */
  path: Ref<readonly Point[]>;
  regions: () => readonly Region[];
  /** Ends the shape, a box with its second corner. @returns false, and leaves the path, for a shape without extent */
  finish: (at: Point) => boolean;
  remove: (index: number) => void;
  /** The crosshair went there: a picture that is zoomed follows. */
  show: (at: Point) => void;
}

/**
 * Drawing by keyboard: arrows move a crosshair by 1 % of the picture, with Shift by 5 %; Enter or Space sets a corner;
 * Backspace takes the last one back, Escape all of them, Delete the newest shape under the crosshair.
 */
export function useKeyCross({ polygon, path, regions, finish, remove, show }: KeyedSurface) {
  const { t } = useI18n();
  /** Whole percents, so that a hundred steps end where they should. */
  const percent = ref({ x: 50, y: 50 });
  const cross = computed<Point>(() => ({ x: percent.value.x / 100, y: percent.value.y / 100 }));
  /** What a screen reader says. */
  const said = ref('');
  /** The newest shape under the crosshair, which Delete takes away; -1: none. */
  const chosen = computed(() =>
    path.value.length > 0 ? -1 : regions().findLastIndex((region) => covers(region, cross.value)),
  );

  const here = (one: Point | undefined): boolean => one?.x === cross.value.x && one.y === cross.value.y;

  function move([x, y]: readonly [number, number], by: number): void {
    const clamp = (value: number): number => Math.min(100, Math.max(0, value));
    percent.value = { x: clamp(percent.value.x + x * by), y: clamp(percent.value.y + y * by) };
    show(cross.value);
    const more =
      polygon() && path.value.length > 2 && here(path.value[0])
        ? ` ${t('regionKeys.first')}`
        : chosen.value < 0
          ? ''
          : ` ${t('regionKeys.shape', { index: chosen.value + 1 })}`;
    said.value = t('regionKeys.at', percent.value) + more;
  }

  function set(): void {
    const corners = path.value.length;
    const closes = polygon() ? here(path.value[0]) || here(path.value.at(-1)) : corners > 0;
    if (closes) said.value = t(finish(cross.value) ? 'regionKeys.made' : 'regionKeys.flat');
    else {
      path.value = [...path.value, cross.value];
      said.value = t('regionKeys.corner', { index: corners + 1, ...percent.value });
    }
  }

  function takeBack(): void {
    path.value = path.value.slice(0, -1);
    said.value = t('regionKeys.takenBack', { count: path.value.length });
  }

  function drop(): void {
    path.value = [];
    said.value = t('regionKeys.dropped');
  }

  function removeChosen(): void {
    said.value = t(chosen.value < 0 ? 'regionKeys.nothingHere' : 'regionKeys.removed');
    if (chosen.value >= 0) remove(chosen.value);
  }

  const always: Readonly<Record<string, () => void>> = { Enter: set, ' ': set, Delete: removeChosen };
  const whileDrawing: Readonly<Record<string, () => void>> = { Backspace: takeBack, Escape: drop };

  /** Keys that draw are kept from the form and the screen around. */
  function onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = steps[event.key];
    const run =
      step === undefined
        ? (always[event.key] ?? (path.value.length > 0 ? whileDrawing[event.key] : undefined))
        : () => move(step, event.shiftKey ? 5 : 1);
    if (run === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    // A held key sets one corner; held arrows run on.
    if (!event.repeat || step !== undefined) run();
  }

  return { cross, chosen, said, onKey };
}
