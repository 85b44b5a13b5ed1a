import { onBeforeUnmount, onMounted, ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { attempt } from '../../station-client.ts';
import { useProject } from '../../stores/project.ts';
import { useToasts } from '../../stores/toasts.ts';

/** Most files of one call. */
const mostPaths = 10_000;

/** Pictures dropped on the window are judged now, in the order of their names. */
export function useDrop() {
  const { t } = useI18n();
  const project = useProject();
  const toasts = useToasts();
  const over = ref(false);
  let depth = 0;

  async function judge(paths: readonly string[]): Promise<void> {
    const projectId = project.projectId;
    if (projectId === null || paths.length === 0) return;
    let presented = 0;
    for (let from = 0; from < paths.length; from += mostPaths) {
      const taken = await attempt('feed.judgeFiles', { projectId, paths: paths.slice(from, from + mostPaths) });
      if (taken === null) return;
      presented += taken.presented;
    }
    toasts.show('info', t('inspect.dropped', { count: presented }, presented));
  }

  async function choose(): Promise<void> {
    const chosen = await attempt('dialog.chooseFiles', { title: t('inspect.openPictures'), kind: 'pictures' });
    if (chosen !== null) await judge(chosen.paths);
  }

  function onDrag(event: DragEvent): void {
    if (event.dataTransfer?.types.includes('Files') !== true) return;
    event.preventDefault();
    if (event.type === 'dragenter') depth++;
    if (event.type === 'dragleave') depth--;
    over.value = depth > 0;
  }

  function onDrop(event: DragEvent): void {
    event.preventDefault();
    depth = 0;
    over.value = false;
    const files = [...(event.dataTransfer?.files ?? [])];
    const paths = files.map((file) => window.station.pathOf(file)).filter((path) => path !== '');
    void judge(paths.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })));
  }

  onMounted(() => {
    for (const name of ['dragenter', 'dragover', 'dragleave'] as const) window.addEventListener(name, onDrag);
    window.addEventListener('drop', onDrop);
  });
  onBeforeUnmount(() => {
    for (const name of ['dragenter', 'dragover', 'dragleave'] as const) window.removeEventListener(name, onDrag);
    window.removeEventListener('drop', onDrop);
  });

  return { over, choose };
}
