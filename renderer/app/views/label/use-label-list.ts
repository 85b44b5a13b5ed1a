import { computed, reactive, ref, shallowRef, triggerRef, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import type { ChannelInput, ChannelOutput } from '../../../../shared/ipc/contract.ts';
import type { GtLabel, Label, Region, StationPicture } from '../../../../shared/station/domain.ts';
import { attempt } from '../../station-client.ts';
import { useProject } from '../../stores/project.ts';
import { useToasts } from '../../stores/toasts.ts';

const pageSize = 200;

/** The answer that holds; null: nobody has answered. */
export const newestOf = (labels: readonly Label[]): Label | null =>
  labels.reduce<Label | null>((best, one) => (best === null || one.id > best.id ? one : best), null);

type Filter = Pick<ChannelInput<'pictures.list'>, 'use' | 'label' | 'sort' | 'classId'>;

/** What was there before an answer of this sitting, for undo. */
interface Step {
  sha256: string;
  gtLabel: GtLabel | null;
  defectClass: string | null;
}

/**
 * The pictures to label, which one is in hand, and a person's answers. An answer is sent at once and shown at once; one
 * that the station refuses is taken off the screen again.
 */
export function useLabelList() {
  const { t } = useI18n();
  const project = useProject();
  const toasts = useToasts();
  const filter = reactive<Filter>({ use: null, label: 'any', sort: 'uncertainty', classId: null });
  const pictures = shallowRef<StationPicture[]>([]);
  const total = ref(0);
  const loading = ref(false);
  const index = ref(0);
  const selected = ref(new Set<string>());
  const progress = shallowRef<ChannelOutput<'labels.progress'> | null>(null);
  const current = computed(() => pictures.value[index.value] ?? null);
  const steps: Step[][] = [];
  let turn = 0;

  async function reload(): Promise<void> {
    turn++;
    pictures.value = [];
    total.value = 0;
    index.value = 0;
    selected.value = new Set();
    loading.value = false;
    await Promise.all([more(), readProgress()]);
  }

  async function more(): Promise<void> {
    const projectId = project.projectId;
    if (projectId === null || loading.value || (total.value > 0 && pictures.value.length >= total.value)) return;
    const mine = turn;
    loading.value = true;
    const page = await attempt('pictures.list', {
      projectId,
      ...filter,
      offset: pictures.value.length,
      limit: pageSize,
    });
    if (mine !== turn) return;
    loading.value = false;
    if (page === null) return;
    // Labelling changes the order under way: what is here already isn't taken twice.
    const known = new Set(pictures.value.map((one) => one.sha256));
    pictures.value = [...pictures.value, ...page.pictures.filter((one) => !known.has(one.sha256))];
    total.value = page.total;
  }

  async function readProgress(): Promise<void> {
    if (project.projectId === null) return;
    progress.value = (await attempt('labels.progress', { projectId: project.projectId })) ?? progress.value;
  }

  watch(
    [() => project.projectId, () => ({ ...filter })],
    ([id], [before]) => {
      // Undo takes back what was answered here, not in the project that was open before.
      if (id !== before) steps.length = 0;
      void reload();
    },
    { immediate: true },
  );

  function show(sha256: string, answer: Pick<Step, 'gtLabel' | 'defectClass'>): void {
    const at = pictures.value.findIndex((one) => one.sha256 === sha256);
    if (at < 0) return;
    pictures.value[at] = { ...pictures.value[at]!, ...answer };
    triggerRef(pictures);
  }

  /**
   * Answers for some pictures, as one step of undo.
   * @param more `regions`: where the defect is; null or left out: where the answer before said it is
   */
  async function answer(
    which: readonly StationPicture[],
    gtLabel: GtLabel,
    defectClass: string | null,
    more: { regions?: readonly Region[] | null; why?: string } = {},
  ): Promise<boolean> {
    const done: Step[] = [];
    for (const one of which) {
      const before = { sha256: one.sha256, gtLabel: one.gtLabel, defectClass: one.defectClass };
      show(one.sha256, { gtLabel, defectClass });
      const regions = gtLabel !== 'fail' ? [] : (more.regions ?? (await regionsOf(one)));
      const label =
        regions === null
          ? null
          : await attempt('labels.set', {
              projectId: one.projectId,
              sha256: one.sha256,
              gtLabel,
              defectClass,
              regions: [...regions],
              why: more.why ?? null,
            });
      if (label === null) {
        show(one.sha256, before);
        break;
      }
      done.push(before);
    }
    if (done.length > 0) steps.push(done);
    void readProgress();
    return done.length === which.length;
  }

  /** Where the newest answer says the defect is: a new kind of defect doesn't forget what was drawn. */
  async function regionsOf(one: StationPicture): Promise<readonly Region[] | null> {
    if (one.gtLabel !== 'fail') return [];
    const labels = await attempt('labels.of', { projectId: one.projectId, sha256: one.sha256 });
    return labels === null ? null : (newestOf(labels)?.regions ?? []);
  }

  /** Takes back the last step of this sitting, or else this person's newest label. */
  async function undo(): Promise<string | null> {
    const projectId = project.projectId;
    if (projectId === null) return null;
    const step = steps.pop() ?? null;
    let last: string | null = null;
    for (let i = 0; i < Math.max(1, step?.length ?? 1); i++) {
      const undone = await attempt('labels.undo', { projectId });
      if (undone === null) return last;
      if (undone.sha256 === null) {
        toasts.show('info', t('label.nothingToUndo'));
        return last;
      }
      last = undone.sha256;
      const before = step?.find((one) => one.sha256 === undone.sha256);
      if (before !== undefined) show(before.sha256, before);
      else await reread(projectId, undone.sha256);
    }
    if (last !== null) goTo(last);
    void readProgress();
    return last;
  }

  async function reread(projectId: string, sha256: string): Promise<void> {
    const labels = (await attempt('labels.of', { projectId, sha256 })) ?? [];
    const newest = newestOf(labels);
    show(sha256, { gtLabel: newest?.gtLabel ?? null, defectClass: newest?.defectClass ?? null });
  }

  function goTo(sha256: string): void {
    const at = pictures.value.findIndex((one) => one.sha256 === sha256);
    if (at >= 0) index.value = at;
  }

  /** @param at the picture in hand from now on; null: as before */
  function select(which: Set<string>, at: number | null): void {
    selected.value = which;
    if (at !== null) index.value = at;
  }

  function move(step: number): void {
    index.value = Math.max(0, Math.min(pictures.value.length - 1, index.value + step));
    if (index.value > pictures.value.length - 30) void more();
  }

  return {
    filter,
    pictures,
    total,
    loading,
    index,
    current,
    selected,
    progress,
    reload,
    more,
    answer,
    undo,
    goTo,
    select,
    move,
    readProgress,
  };
}

export type LabelList = ReturnType<typeof useLabelList>;
