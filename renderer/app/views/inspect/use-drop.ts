import { useI18n } from 'vue-i18n';
import { useDroppedFiles } from '../../composables/use-dropped-files.ts';
import { useFormat } from '../../composables/use-format.ts';
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
  const { count } = useFormat();

  async function judge(paths: readonly string[]): Promise<void> {
    const projectId = project.projectId;
    if (projectId === null || paths.length === 0) return;
    let presented = 0;
    for (let from = 0; from < paths.length; from += mostPaths) {
      const taken = await attempt('feed.judgeFiles', { projectId, paths: paths.slice(from, from + mostPaths) });
      if (taken === null) return;
      presented += taken.presented;
    }
    toasts.show('info', t('inspect.dropped', { count: count(presented) }, presented));
  }

  async function choose(): Promise<void> {
    const chosen = await attempt('dialog.chooseFiles', { title: t('inspect.openPictures'), kind: 'pictures' });
    if (chosen !== null) await judge(chosen.paths);
  }

  const over = useDroppedFiles((paths) => void judge(paths));
  return { over, choose };
}
