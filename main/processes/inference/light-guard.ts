import { DriftGuard } from '../../../shared/drift/guard.ts';
import { measurePicture } from '../../../shared/drift/measure.ts';
import {
  thumbnailSide,
  type DriftAlarm,
  type DriftBaseline,
  type PictureStatistics,
} from '../../../shared/drift/types.ts';
import type { Evidence } from '../../inspection/pipeline.ts';
import type { InspectionRecord } from '../../inspection/record.ts';
import type { Picture, PreparedPicture } from '../../pictures/picture.ts';

/** Parts after an alarm during which the guard may still find a better name for its cause. */
const secondThoughts = 10;

/** Watches whether the parts of a run still look as those that its model was calibrated on. Never stops anything. */
export class LightGuard {
  readonly #onAlarm: (alarm: DriftAlarm) => void;
  readonly #measured = new WeakMap<Picture, PictureStatistics>();
  #watched: { modelHash: string; guard: DriftGuard; told: DriftAlarm | null } | undefined;

  /** @param onAlarm hears of an alarm once, and again when its cause turned out to be another one */
  constructor(onAlarm: (alarm: DriftAlarm) => void) {
    this.#onAlarm = onAlarm;
  }

  watch(baseline: DriftBaseline): void {
    this.#watched = { modelHash: baseline.modelHash, guard: new DriftGuard(baseline), told: null };
  }

  /** To be called with every picture on its way to the detector. */
  measure(picture: Picture, prepared: PreparedPicture): void {
    if (this.#watched === undefined || prepared.width < thumbnailSide || prepared.height < thumbnailSide) return;
    this.#measured.set(picture, measurePicture(prepared));
  }

  /** Takes a judged part, after its verdict has been told: the line doesn't wait for this. */
  observe({ modelHash, inspectedAt }: InspectionRecord, evidence: Evidence | undefined): void {
    const watched = this.#watched;
    const statistics = evidence && this.#measured.get(evidence.picture);
    if (watched?.modelHash !== modelHash || evidence === undefined || statistics === undefined) return;
    const { alarm, parts } = watched.guard.observe({ statistics, result: evidence.result, at: inspectedAt });
    if (alarm === null) return;
    const isRenamed = parts === alarm.foundAtPart + secondThoughts && watched.told?.cause !== alarm.cause;
    if (watched.told !== null && !isRenamed) return;
    watched.told = alarm;
    this.#onAlarm(alarm);
  }
}
