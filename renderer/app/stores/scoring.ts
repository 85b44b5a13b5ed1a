import { defineStore } from 'pinia';
import { shallowRef } from 'vue';

/** Pictures that are being scored under a model, and how far that is. */
export interface Scoring {
  done: number;
  total: number;
  /** Clock of the first event, milliseconds. */
  startedMs: number;
  /** Estimate; null until some pictures are done. */
  remainingMs: number | null;
}

/** Fewer say nothing about the pace: the first one waits for the model to be opened. */
const fewestForPace = 3;

/** What is being scored for thresholds and gates, by model. */
export const useScoring = defineStore('scoring', () => {
  const byModel = shallowRef<Readonly<Record<string, Scoring>>>({});

  function take({ modelId, done, total }: { modelId: string; done: number; total: number }): void {
    const { [modelId]: before, ...others } = byModel.value;
    if (done >= total) {
      byModel.value = others;
      return;
    }
    const startedMs = done > 0 && before !== undefined ? before.startedMs : Date.now();
    const remainingMs = done < fewestForPace ? null : ((Date.now() - startedMs) / done) * (total - done);
    byModel.value = { ...others, [modelId]: { done, total, startedMs, remainingMs } };
  }

  return { byModel, take };
});
