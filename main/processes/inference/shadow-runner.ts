import { judge } from '../../../shared/calibration/unknown-class.ts';
import { pixelGeometry } from '../../feeds/recipe-geometry.ts';
import type { Evidence } from '../../inspection/pipeline.ts';
import { scoreOrNull, type InspectionRecord } from '../../inspection/record.ts';
import { preparePicture } from '../../pictures/prepare.ts';
import type { ShadowNews } from '../inference-protocol.ts';
import type { LoadedModel } from './open-model.ts';

/**
 * A candidate that judges beside the model of the line: one part at a time, after that part's verdict has been told.
 * While it's busy parts go by, and are counted: the line never waits for it.
 */
export class ShadowRunner {
  readonly #model: LoadedModel;
  readonly #tell: (news: Omit<ShadowNews, 'projectId'>) => void;
  #work: Promise<void> = Promise.resolve();
  #isBusy = false;
  #isClosed = false;
  #skipped = 0;

  constructor(model: LoadedModel, tell: (news: Omit<ShadowNews, 'projectId'>) => void) {
    this.#model = model;
    this.#tell = tell;
  }

  /** @param activeModelId the model whose verdict the line saw */
  take(partId: number, activeModelId: string, record: InspectionRecord, evidence: Evidence | undefined): void {
    if (evidence === undefined || this.#isClosed) return;
    if (this.#isBusy) {
      this.#skipped += 1;
      return;
    }
    this.#isBusy = true;
    const start = performance.now();
    this.#work = this.#judge(evidence).then((candidate) => {
      this.#isBusy = false;
      const { predScore, verdict, className, inspectedAt: at } = record;
      this.#tell({
        modelId: this.#model.use.modelId,
        activeModelId,
        partId,
        className: className ?? '',
        at,
        active: { predScore, verdict },
        candidate,
        candidateMs: performance.now() - start,
        skipped: this.#skipped,
      });
      this.#skipped = 0;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
    await this.#model.detector.close();
  }

  async #judge({ picture }: Evidence): Promise<ShadowNews['candidate']> {
    const { use, detector } = this.#model;
    try {
      const prepared = preparePicture(picture, {
        size: detector.inputSize,
        ...pixelGeometry(use.geometry, picture),
      });
      const result = (await detector.inspect([prepared]))[0]!;
      const { verdict } = judge(result, detector.thresholdsFor(result.className), detector.unknownClass);
      return { predScore: scoreOrNull(result.predScore), verdict };
    } catch {
      return { predScore: null, verdict: 'noDecision' };
    }
  }
}
