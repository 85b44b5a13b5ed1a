import { createCanvas, type Canvas } from '@napi-rs/canvas';
import type { Picture } from '../pictures/picture.ts';
import { resample } from '../pictures/resample.ts';
import type { HeatLayer } from './heat-map.ts';

/** Long side of the pictures that reports show, pixels: enough to judge, small enough for thousands. */
const displaySide = 480;
/** Smaller pictures are drawn enlarged to this, for a contour that is not coarse. */
const smallestOverlaySide = 320;

/** A picture for people's eyes: scaled down, if larger, to the report's size. Never what the network sees. */
export function displayPicture(picture: Picture): Picture {
  return longestSide(picture) <= displaySide ? picture : atSide(picture, displaySide);
}

/** Size of heat layers, which a report shows enlarged with their picture. */
export function layerSize(picture: Picture): { width: number; height: number } {
  return sizeAt(picture, displaySide);
}

function longestSide({ width, height }: Picture): number {
  return Math.max(width, height);
}

function sizeAt(picture: Picture, side: number): { width: number; height: number } {
  const scale = side / longestSide(picture);
  return {
    width: Math.max(1, Math.round(picture.width * scale)),
    height: Math.max(1, Math.round(picture.height * scale)),
  };
}

function atSide(picture: Picture, side: number): Picture {
  const { width, height } = sizeAt(picture, side);
  return resample(picture, width, height, 'bilinear');
}

export async function encodeJpeg(picture: Picture): Promise<Buffer> {
  return canvasOf(picture).encode('jpeg', 84);
}

export async function encodeLayer(layer: HeatLayer): Promise<Buffer> {
  return layerCanvas(layer).encode('png');
}

/** The picture with its heat map on it, as PNG. */
export async function encodeOverlay(picture: Picture, layer: HeatLayer): Promise<Buffer> {
  const side = Math.min(displaySide, Math.max(smallestOverlaySide, longestSide(picture)));
  const canvas = canvasOf(atSide(picture, side));
  canvas.getContext('2d').drawImage(layerCanvas(layer), 0, 0, canvas.width, canvas.height);
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
