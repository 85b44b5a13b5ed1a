import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { encodeJpeg, encodeLayer } from '../inspection/part-pictures.ts';
import { heatColour } from '../inspection/heat-map.ts';
import { decodePicture } from '../pictures/decode.ts';
import type { Picture } from '../pictures/picture.ts';
import { resample } from '../pictures/resample.ts';
import type { Store } from '../store/store.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';

export interface ServedFile {
  bytes: Uint8Array;
  contentType: string;
}

/** What a browser shows by itself; other formats are sent as JPEG. */
const shownAsTheyAre: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  bmp: 'image/bmp',
};
/** Sides that are kept on disk once made: what grids and strips ask for again and again. */
const keptSides: ReadonlySet<number> = new Set([120, 160, 240, 320, 480]);
/** Opacity of the heat map's strongest places on paper. */
const printedOpacity = 0.55;

/** Pictures and heat maps as windows and reports show them. They only look: nothing here is what the network sees. */
export class ServedPictures {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** @param sidePx longest side; the stored picture itself when left out */
  async picture(projectId: string, sha256: string, sidePx?: number): Promise<ServedFile | undefined> {
    if (this.#store.pictures.find(projectId, sha256) === null) return undefined;
    const file = this.#store.pictures.path(sha256);
    if (file === null) return undefined;
    const contentType = shownAsTheyAre[path.extname(file).slice(1).toLowerCase()];
    if (sidePx === undefined && contentType !== undefined) return { bytes: await readFile(file), contentType };
    const bytes = await this.#scaled(file, sha256, sidePx ?? 4096);
    return { bytes, contentType: 'image/jpeg' };
  }

  /** 8-bit grey PNG: 0 calm, 255 at and beyond the fail threshold. */
  async heat(partId: number): Promise<ServedFile | undefined> {
    const bytes = await this.#store.files.heatMap(partId);
    return bytes === null ? undefined : { bytes, contentType: 'image/png' };
  }

  /** The heat map in its colour, transparent where calm, to be printed over the picture. */
  async heatOverlay(partId: number): Promise<Uint8Array | undefined> {
    const grey = await this.#store.files.heatMap(partId);
    if (grey === null) return undefined;
    const map = await decodePicture(grey, `heat map of part ${partId}`);
    const data = new Uint8ClampedArray(4 * map.width * map.height);
    for (let i = 0; i < map.width * map.height; i++) {
      data[4 * i] = heatColour.red;
      data[4 * i + 1] = heatColour.green;
      data[4 * i + 2] = heatColour.blue;
      data[4 * i + 3] = printedOpacity * map.data[3 * i]!;
    }
    return encodeLayer({ width: map.width, height: map.height, data });
  }

  /** Small pictures are all there is to gain here; removing them loses nothing. */
  async dropThumbnails(): Promise<void> {
    await rm(path.join(this.#store.folder, 'thumbnails'), { recursive: true, force: true });
  }

  async #scaled(file: string, sha256: string, sidePx: number): Promise<Uint8Array> {
    const kept = path.join(this.#store.folder, 'thumbnails', String(sidePx), sha256.slice(0, 2), `${sha256}.jpg`);
    const keep = keptSides.has(sidePx);
    if (keep) {
      const known = await readFile(kept).catch(() => undefined);
      if (known !== undefined) return known;
    }
    const bytes = await encodeJpeg(atMost(await decodePicture(await readFile(file), path.basename(file)), sidePx));
    // A full disk must not keep anybody from looking.
    if (keep) await writeFileAtomic(kept, bytes).catch(() => undefined);
    return bytes;
  }
}

function atMost(picture: Picture, sidePx: number): Picture {
  const scale = sidePx / Math.max(picture.width, picture.height);
  if (scale >= 1) return picture;
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  return resample(picture, width, height, 'bilinear');
}
