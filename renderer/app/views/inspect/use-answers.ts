import { computed, ref, shallowRef, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import type { StationPart } from '../../../../shared/station/domain.ts';
import { attempt } from '../../station-client.ts';
import { useFeed } from '../../stores/feed.ts';
import { useProject } from '../../stores/project.ts';
import { useToasts } from '../../stores/toasts.ts';
import { shownLive, shownStored, type ShownPart } from './shown-part.ts';

/**
 * Which part the screen shows, and what a person says about it. It follows the line, unless an older part is held
 * (arrow keys) or the review queue is worked off.
 */
export function useAnswers() {
  const { t } = useI18n();
  const feed = useFeed();
  const project = useProject();
  const toasts = useToasts();
  /** Part held on the screen; null: the newest. */
  const heldId = ref<number | null>(null);
  const queue = shallowRef<readonly StationPart[] | null>(null);
  const waitingTotal = ref(0);
  const defectClasses = shallowRef<readonly string[]>([]);
  const busy = ref(false);

  const reviewing = computed(() => queue.value !== null);
  const shown = computed<ShownPart | null>(() => {
    const first = queue.value?.[0];
    if (first !== undefined) return shownStored(first);
    const live = heldId.value === null ? feed.parts.at(-1) : feed.parts.find((one) => one.part.id === heldId.value);
    return live === undefined ? null : shownLive(live);
  });

  watch(
    () => project.projectId,
    () => {
      heldId.value = null;
      queue.value = null;
      void loadProgress();
    },
    { immediate: true },
  );
  // A part that left the strip can't be held any longer.
  watch(
    () => feed.parts,
    (parts) => {
      if (heldId.value !== null && !parts.some((one) => one.part.id === heldId.value)) heldId.value = null;
    },
  );

  async function loadProgress(): Promise<void> {
    const id = project.projectId;
    if (id === null) return;
    const progress = await attempt('labels.progress', { projectId: id });
    if (progress !== null) defectClasses.value = progress.defectClasses;
  }

  /** Moves along the strip; past its end it follows the line again. */
  function move(step: number): void {
    if (reviewing.value || feed.parts.length === 0) return;
    const at =
      heldId.value === null ? feed.parts.length - 1 : feed.parts.findIndex((one) => one.part.id === heldId.value);
    const next = Math.max(0, at + step);
    heldId.value = next >= feed.parts.length - 1 ? null : feed.parts[next]!.part.id;
  }

  function hold(id: number): void {
    queue.value = null;
    heldId.value = feed.parts.at(-1)?.part.id === id ? null : id;
  }

  /** Back to the newest part. */
  function follow(): void {
    queue.value = null;
    heldId.value = null;
  }

  async function startReview(): Promise<void> {
    const id = project.projectId;
    if (id === null) return;
    const found = await attempt('parts.reviewQueue', { projectId: id, limit: 100 });
    if (found === null) return;
    waitingTotal.value = found.total;
    queue.value = found.parts.length === 0 ? null : found.parts;
    if (found.parts.length === 0) toasts.show('info', t('inspect.queueEmpty'));
  }

  /** Next part of the queue; the one passed over stays in it for the next time. */
  async function skip(): Promise<void> {
    if (queue.value === null) follow();
    else await advance();
  }

  async function advance(): Promise<void> {
    const rest = queue.value?.slice(1) ?? [];
    if (rest.length > 0) queue.value = rest;
    else await startReview();
  }

  async function answer(verdict: 'pass' | 'fail', defectClass: string | null = null): Promise<void> {
    const part = shown.value?.part;
    if (part === undefined || busy.value) return;
    busy.value = true;
    const answered = await attempt('parts.answer', { partId: part.id, verdict, defectClass, why: null });
    busy.value = false;
    if (answered === null) return;
    feed.replacePart(answered);
    if (queue.value === null) return;
    waitingTotal.value = Math.max(0, waitingTotal.value - 1);
    // A fail waits for its class if there are classes to choose from; the next key or click goes on.
    if (verdict === 'fail' && defectClass === null && defectClasses.value.length > 0) {
      queue.value = [answered, ...queue.value.slice(1)];
    } else await advance();
  }

  async function undo(): Promise<void> {
    const id = project.projectId;
    if (id === null) return;
    const undone = await attempt('parts.undo', { projectId: id });
    if (undone === null) return;
    if (undone.part === null) {
      toasts.show('info', t('inspect.nothingToUndo'));
      return;
    }
    feed.replacePart(undone.part);
    toasts.show('info', t('inspect.undone', { part: undone.part.serial ?? String(undone.part.id) }));
    if (queue.value === null)
      heldId.value = feed.parts.some((one) => one.part.id === undone.part!.id) ? undone.part.id : heldId.value;
    else queue.value = [undone.part, ...queue.value.filter((one) => one.id !== undone.part!.id)];
  }

  return {
    shown,
    heldId,
    reviewing,
    waitingTotal,
    defectClasses,
    busy,
    move,
    hold,
    follow,
    startReview,
    skip,
    answer,
    undo,
  };
}
