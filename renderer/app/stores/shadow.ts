import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import type { ShadowState } from '../../../shared/ipc/training.ts';
import { attempt } from '../station-client.ts';

/** The candidate that judges beside the active model of the project that is looked at, or the last one that did. */
export const useShadow = defineStore('shadow', () => {
  const state = shallowRef<ShadowState | null>(null);
  /** Null while nobody looks: then nothing is asked. */
  let projectId: string | null = null;

  async function follow(id: string | null): Promise<void> {
    projectId = id;
    state.value = null;
    await load();
  }

  async function load(): Promise<void> {
    if (projectId === null) return;
    const asked = projectId;
    const found = await attempt('models.shadowState', { projectId: asked });
    if (asked === projectId) state.value = found;
  }

  function changed(id: string): void {
    if (id === projectId) void load();
  }

  return { state, follow, load, changed };
});
