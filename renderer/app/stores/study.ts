import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type { ChannelOutput } from '../../../shared/ipc/contract.ts';
import { attempt } from '../station-client.ts';

/** What the person at the screen has to judge in running studies of the open project. */
export const useStudies = defineStore('studies', () => {
  const mine = shallowRef<ChannelOutput<'study.mine'>>([]);
  /** Grows with every change of a study: cheap to watch. */
  const changes = ref(0);
  let projectId: string | null = null;

  async function follow(id: string | null): Promise<void> {
    projectId = id;
    mine.value = [];
    await load();
  }

  async function load(): Promise<void> {
    if (projectId === null) return;
    const asked = projectId;
    const found = await attempt('study.mine', { projectId: asked });
    if (found !== null && asked === projectId) mine.value = found;
  }

  function changed(id: string): void {
    if (id !== projectId) return;
    changes.value++;
    void load();
  }

  return { mine, changes, follow, load, changed };
});
