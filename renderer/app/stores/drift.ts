import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type { DriftAlarmRow, StationDrift } from '../../../shared/ipc/drift.ts';
import { attempt } from '../station-client.ts';

/** Whether the calibration still covers what the open project's line sees. */
export const useDrift = defineStore('drift', () => {
  const state = shallowRef<StationDrift | null>(null);
  /** Alarms of the project, newest first; read when somebody looks. */
  const history = shallowRef<readonly DriftAlarmRow[]>([]);
  const busy = ref(false);
  let projectId: string | null = null;

  async function load(): Promise<void> {
    const id = projectId;
    if (id === null) return;
    const now = await attempt('drift.state', { projectId: id });
    if (now !== null && projectId === id) state.value = now;
  }

  async function loadHistory(): Promise<void> {
    const id = projectId;
    if (id === null) return;
    const list = await attempt('drift.history', { projectId: id });
    if (list !== null && projectId === id) history.value = list;
  }

  async function follow(id: string | null): Promise<void> {
    projectId = id;
    state.value = null;
    history.value = [];
    await load();
  }

  /** The station says that something changed. */
  function changed(id: string): void {
    if (id === projectId) void load();
  }

  /** @returns whether the alarm is over */
  async function acknowledge(alarmId: number, reason: string): Promise<boolean> {
    if (projectId === null) return false;
    busy.value = true;
    const now = await attempt('drift.acknowledge', { projectId, alarmId, reason });
    busy.value = false;
    if (now === null) return false;
    state.value = now;
    await loadHistory();
    return true;
  }

  return { state, history, busy, load, loadHistory, follow, changed, acknowledge };
});
