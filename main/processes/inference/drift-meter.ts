import { streamValues } from '../../../shared/drift/baseline.ts';
import { measurePicture } from '../../../shared/drift/measure.ts';
import { thumbnailSide, type DriftBaseline, type PictureStatistics } from '../../../shared/drift/types.ts';
import type { Evidence } from '../../inspection/pipeline.ts';
import type { InspectionRecord } from '../../inspection/record.ts';
import type { Picture, PreparedPicture } from '../../pictures/picture.ts';
import type { PartValues } from '../../store/drift.ts';

/** Measures the parts of a run for the drift guard, which is the station's: it outlives this process. */
export class DriftMeter {
  readonly #tell: (values: PartValues & { modelHash: string }) => void;
  readonly #measured = new WeakMap<Picture, PictureStatistics>();
  #watched: { modelHash: string; references: Map<string, Float32Array | null> } | undefined;

  /** @param tell takes the numbers of a judged part */
  constructor(tell: (values: PartValues & { modelHash: string }) => void) {
    this.#tell = tell;
  }

  watch({ modelHash, classes }: DriftBaseline): void {
    const references = new Map(
      classes.map(({ className, reference }) => [className, reference === null ? null : Float32Array.from(reference)]),
    );
    this.#watched = { modelHash, references };
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
    const { className } = evidence.result;
    const reference = watched.references.get(className);
    const values = reference === undefined ? null : streamValues(statistics, evidence.result, reference);
    this.#tell({ modelHash, className, values, at: inspectedAt });
  }
}
