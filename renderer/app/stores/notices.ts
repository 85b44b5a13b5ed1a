import { defineStore } from 'pinia';
import { ref } from 'vue';
import type { StationEvent } from '../../../shared/ipc/contract.ts';
import { attempt } from '../station-client.ts';

export type Notice = Pick<Extract<StationEvent, { type: 'notice' }>, 'id' | 'message' | 'level'>;

/** What the station wants everybody to know until it is put away, e.g. a database restored from its backup. */
export const useNotices = defineStore('notices', () => {
  const notices = ref<Notice[]>([]);
  /** Import progress by project; null when none runs. */
  const importing = ref<{ projectId: string; done: number; total: number } | null>(null);

  function take(notice: Notice): void {
    notices.value = [...notices.value.filter((one) => one.id !== notice.id), notice];
  }

  function dismiss(id: string): void {
    notices.value = notices.value.filter((one) => one.id !== id);
  }

  function takeImport(progress: { projectId: string; done: number; total: number }): void {
    importing.value = progress.done >= progress.total ? null : progress;
  }

  async function load(): Promise<void> {
    for (const notice of (await attempt('system.status', {}))?.notices ?? []) take(notice);
  }

  return { notices, importing, take, dismiss, takeImport, load };
});
