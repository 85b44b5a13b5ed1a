/** sPRO of MVTec LOCO AD over a group's pictures, from the masks and the saturation thresholds the set comes with. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import { SproCurve, type DefectSaturation, type SproPicture } from '../../shared/metrics/spro.ts';
import type { PublishedPicture } from '../datasets/published-set.ts';
import { resizeMap } from '../inspection/resize-map.ts';
import type { Picture } from '../pictures/picture.ts';

/** Rates of false-positive pixels that the area is taken up to. */
export const sproLimits = { spro005: 0.05, spro03: 0.3 } as const;
export type SproMetrics = Record<keyof typeof sproLimits, number | null>;

const configSchema = z.array(
  z.object({
    defect_name: z.string(),
    pixel_value: z.int().min(1).max(255),
    saturation_threshold: z.number().positive(),
    relative_saturation: z.boolean(),
  }),
);

/** A picture as it was read for this metric: its own size, and its defects at that size. */
export type SproTruth = Pick<SproPicture, 'width' | 'height' | 'defects'>;

/** `defects_config.json` of each class, by the value its defects' masks are drawn with. */
export class DefectConfigs {
  readonly #known = new Map<string, Promise<Map<number, DefectSaturation>>>();

  /**
   * What a picture's masks say. Each mask file is one defect, drawn with one value (`<class>/ground_truth/<kind>/<id>/000.png`
   * beside `<class>/defects_config.json`).
   * @throws UserError `defectsConfigMissing` | `defectsConfigInvalid` | `maskInvalid`
   */
  async truthOf(
    picture: PublishedPicture,
    { width, height }: Pick<Picture, 'width' | 'height'>,
    readPicture: (path: string) => Promise<Picture>,
  ): Promise<SproTruth> {
    const defects: SproPicture['defects'][number][] = [];
    for (const file of picture.maskPaths ?? []) {
      const config = await this.#configFor(path.resolve(file, '../../../..', 'defects_config.json'));
      const drawn = await readPicture(file);
      if (drawn.width !== width || drawn.height !== height) {
        throw maskInvalid(file, `it has ${drawn.width} x ${drawn.height} pixels, its picture ${width} x ${height}`);
      }
      const mask = new Uint8Array(width * height);
      let value = 0;
      for (let i = 0; i < mask.length; i++) {
        mask[i] = drawn.data[3 * i]!;
        if (mask[i] === 0) continue;
        if (value !== 0 && mask[i] !== value) throw maskInvalid(file, `it is drawn with ${value} and ${mask[i]}`);
        value = mask[i]!;
      }
      const saturation = config.get(value);
      if (saturation === undefined) {
        throw maskInvalid(file, value === 0 ? 'nothing is drawn in it' : `defects_config.json has no value ${value}`);
      }
      defects.push({ mask, saturation });
    }
    return { width, height, defects };
  }

  #configFor(file: string): Promise<Map<number, DefectSaturation>> {
    let config = this.#known.get(file);
    if (config === undefined) {
      config = readConfig(file);
      this.#known.set(file, config);
    }
    return config;
  }
}

async function readConfig(file: string): Promise<Map<number, DefectSaturation>> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UserError(
      'defectsConfigMissing',
      `${file} can't be read.`,
      'It belongs to MVTec LOCO AD and says when a defect counts as found; unpack the set again.',
      { cause: error },
    );
  });
  let parsed;
  try {
    parsed = configSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new UserError('defectsConfigInvalid', `${file} is damaged.`, 'Unpack the set again.', { cause: error });
  }
  return new Map(
    parsed.map((entry) => [
      entry.pixel_value,
      { saturationThreshold: entry.saturation_threshold, isRelative: entry.relative_saturation },
    ]),
  );
}

function maskInvalid(file: string, what: string): UserError {
  return new UserError('maskInvalid', `The mask ${file} can't be used: ${what}.`, 'Unpack the set again.');
}

/**
 * The curves of one group: one for each kind of anomaly, every one with all good pictures. The figure is the mean over the
 * kinds, as the set's own evaluation has it.
 */
export class GroupSpro {
  readonly #curves: ReadonlyMap<string, SproCurve>;

  constructor(kinds: readonly string[]) {
    this.#curves = new Map(kinds.map((kind) => [kind, new SproCurve()]));
  }

  /** @param anomalyMap `[side, side]`, of the whole picture */
  add(picture: PublishedPicture, anomalyMap: Float32Array, side: number, truth: SproTruth): void {
    const { width, height, defects } = truth;
    const sized = resizeMap(anomalyMap, side, side, width, height);
    const whole = { width, height, anomalyMap: sized, defects };
    if (picture.gtLabel === 'good') for (const curve of this.#curves.values()) curve.add(whole);
    else if (defects.length > 0) this.#curves.get(picture.defectType ?? '')?.add(whole);
  }

  metrics(): SproMetrics {
    const at = (limit: number): number | null => {
      const areas = [...this.#curves.values()].map((curve) => curve.auc(limit)).filter((area) => area !== null);
      return areas.length === 0 ? null : areas.reduce((sum, area) => sum + area, 0) / areas.length;
    };
    return { spro005: at(sproLimits.spro005), spro03: at(sproLimits.spro03) };
  }
}
