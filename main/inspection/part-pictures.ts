import { createCanvas, type Canvas } from '@napi-rs/canvas';
import type { Picture } from '../pictures/picture.ts';
import { resample } from '../pictures/resample.ts';
import type { HeatLayer } from './heat-map.ts';

/** Long side of the pictures that reports show, pixels: enough to judge, small enough for thousands. */
const displaySide = 480;

/** A picture for people's eyes: scaled down, if larger, to the report's size. Never what the network sees. */
export function displayPicture(picture: Picture): Picture {
  return Math.max(picture.width, picture.height) <= displaySide ? picture : atDisplaySide(picture);
}

/** Size of heat maps: small pictures are shown enlarged, and a contour should not be coarse then. */
export function layerSize({ width, height }: Picture): { width: number; height: number } {
  const scale = displaySide / Math.max(width, height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

function atDisplaySide(picture: Picture): Picture {
  const { width, height } = layerSize(picture);
  return resample(picture, width, height, 'bilinear');
}

export async function encodeJpeg(picture: Picture): Promise<Buffer> {
  return canvasOf(picture).encode('jpeg', 84);
}

export async function encodeLayer(layer: HeatLayer): Promise<Buffer> {
  return layerCanvas(layer).encode('png');
}

/** The picture with its heat map on it, as PNG of the layer's size. */
export async function encodeOverlay(picture: Picture, layer: HeatLayer): Promise<Buffer> {
  const canvas = canvasOf(atDisplaySide(picture));
  canvas.getContext('2d').drawImage(layerCanvas(layer), 0, 0);
  return canvas.encode('png');
}

function layerCanvas({ width, height, data }: HeatLayer): Canvas {
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, height);
  image.data.set(data);
  context.putImageData(image, 0, 0);
  return canvas;
}

function canvasOf({ width, height, data }: Picture): Canvas {
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from]!;
    rgba[to + 1] = data[from + 1]!;
    rgba[to + 2] = data[from + 2]!;
  }
  return layerCanvas({ width, height, data: rgba });
}
