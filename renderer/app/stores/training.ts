import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import type { TrainingState } from '../../../shared/ipc/training.ts';
import { attempt } from '../station-client.ts';

/** The training that runs, or the last one, of each project that was looked at. */
export const useTraining = defineStore('training', () => {
  const byProject = shallowRef<Readonly<Record<string, TrainingState>>>({});
  const running = computed(
    () => Object.values(byProject.value).find((one) => ['running', 'paused', 'cancelling'].includes(one.state)) ?? null,
  );

  function take(now: TrainingState): void {
    byProject.value = { ...byProject.value, [now.projectId]: now };
  }

  function of(projectId: string | null): TrainingState | null {
    return projectId === null ? null : (byProject.value[projectId] ?? null);
  }

  async function load(projectId: string): Promise<void> {
    const now = await attempt('training.current', { projectId });
    if (now !== null) take(now);
  }

  return { byProject, running, take, of, load };
});
