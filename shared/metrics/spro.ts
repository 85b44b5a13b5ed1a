/**
 * Saturated per-region overlap (sPRO) of MVTec LOCO AD (Bergmann et al., "Beyond Dents and Scratches", IJCV 2022, section 4).
 *
 * A missing object may be marked anywhere in a large area, so a defect counts as found once a part of it is: as many
 * pixels as its kind's saturation threshold says. A defect's sPRO at a threshold is `min(found pixels / saturation, 1)`; the
 * curve is the mean over all defects against the rate of false-positive pixels, and the figure its area up to a rate.
 */
import { UserError } from '../errors.ts';
import { orderedKey } from './sort-floats.ts';

/** A kind of defect, as an entry of the set's `defects_config.json` says. */
export interface DefectSaturation {
  readonly saturationThreshold: number;
  /** The threshold is a share of the defect's own area; else a number of pixels. */
  readonly isRelative: boolean;
}

/**
 * Pixels of a defect that have to be found for all of it to count: with a relative threshold its share of the area, cut to
 * whole pixels; else the threshold itself, at most the area. At least 1.
 */
export function saturationAreaPx(areaPx: number, { saturationThreshold, isRelative }: DefectSaturation): number {
  const area = isRelative ? Math.trunc(saturationThreshold * areaPx) : Math.min(saturationThreshold, areaPx);
  return Math.max(1, area);
}

/** One picture with its defects; a good picture has none. Defects may overlap. */
export interface SproPicture {
  readonly width: number;
  readonly height: number;
  /** `[height, width]` row-major, at the size the masks were drawn. */
  readonly anomalyMap: Float32Array;
  readonly defects: readonly {
    /** `[height, width]` row-major, anything but 0 belongs to the defect. */
    readonly mask: Uint8Array;
    readonly saturation: DefectSaturation;
  }[];
}

/** Scores are sorted into bins by their leading bits: sign, exponent and 11 bits of the fraction (steps of 0.05 %). */
const droppedBits = 12;
const bins = 2 ** (32 - droppedBits);

/**
 * Collects pictures one at a time and keeps no pixels: each defect's sPRO grows by `1 / saturation` for each of its
 * highest-scoring pixels until it is saturated, so its curve is a weighted histogram. Scores within 0.05 % of each other
 * count as equal, which the trapezoids between the points even out.
 */
export class SproCurve {
  /** Pixels outside of every defect. */
  readonly #normal = new Float64Array(bins);
  /** Sum of 1 / saturation over the pixels that count. */
  readonly #found = new Float64Array(bins);
  #normalPx = 0;
  #defects = 0;

  /** Defects so far. */
  get defects(): number {
    return this.#defects;
  }

  /**
   * @throws RangeError when sizes differ or a defect is empty
   * @throws UserError `scoreNotANumber`
   */
  add({ width, height, anomalyMap, defects }: SproPicture): void {
    const size = width * height;
    if (anomalyMap.length !== size || defects.some(({ mask }) => mask.length !== size)) {
      throw new RangeError(`map and masks must have ${width} x ${height} pixels`);
    }
    const bits = new Uint32Array(anomalyMap.buffer, anomalyMap.byteOffset, size);
    for (const { mask, saturation } of defects) this.#addDefect(bits, mask, saturation);
    const anywhere = new Uint8Array(size);
    for (const { mask } of defects) for (let i = 0; i < size; i++) anywhere[i]! |= mask[i]!;
    for (let i = 0; i < size; i++) {
      const key = orderedKey(bits[i]!);
      if (key === 0xffffffff) throw notANumber();
      if (anywhere[i] !== 0) continue;
      this.#normal[key >>> droppedBits]!++;
      this.#normalPx++;
    }
  }

  #addDefect(bits: Uint32Array, mask: Uint8Array, saturation: DefectSaturation): void {
    let area = 0;
    for (const value of mask) if (value !== 0) area++;
    if (area === 0) throw new RangeError('a defect without a pixel');
    const keys = new Uint32Array(area);
    for (let i = 0, at = 0; i < mask.length; i++) if (mask[i] !== 0) keys[at++] = orderedKey(bits[i]!);
    keys.sort();
    const counted = saturationAreaPx(area, saturation);
    // A threshold that is no whole number of pixels: the last pixel counts for the rest.
    for (let taken = 0; taken < counted; taken++) {
      this.#found[keys[area - 1 - taken]! >>> droppedBits]! += Math.min(1, counted - taken) / counted;
    }
    this.#defects++;
  }

  /**
   * Area under the curve up to a rate of false-positive pixels, divided by that rate: 0..1.
   * @param fprLimit in (0, 1]
   * @returns null without a defect or without a normal pixel
   */
  auc(fprLimit: number): number | null {
    if (!(fprLimit > 0 && fprLimit <= 1)) throw new RangeError(`a false-positive rate of ${fprLimit}`);
    if (this.#defects === 0 || this.#normalPx === 0) return null;
    let [area, fpr, spro] = [0, 0, 0];
    for (let bin = bins - 1; bin >= 0; bin--) {
      const [normal, found] = [this.#normal[bin]!, this.#found[bin]!];
      if (normal === 0 && found === 0) continue;
      const nextFpr = fpr + normal / this.#normalPx;
      const nextSpro = spro + found / this.#defects;
      if (nextFpr >= fprLimit) {
        // The last piece ends at the limit, on the line between its two points.
        const share = nextFpr === fpr ? 1 : (fprLimit - fpr) / (nextFpr - fpr);
        const end = spro + share * (nextSpro - spro);
        return (area + ((fprLimit - fpr) * (spro + end)) / 2) / fprLimit;
      }
      area += ((nextFpr - fpr) * (spro + nextSpro)) / 2;
      [fpr, spro] = [nextFpr, nextSpro];
    }
    // Rounding kept the rate a hair below a limit of 1.
    return (area + (fprLimit - fpr) * spro) / fprLimit;
  }
}

function notANumber(): UserError {
  return new UserError(
    'scoreNotANumber',
    'A map holds a value that is not a number (NaN), so nothing can be ranked.',
    'Check the model with "twinspect model verify" and the picture that gave this map.',
  );
}
