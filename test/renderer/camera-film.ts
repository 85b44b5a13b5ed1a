/** A little film for Chromium's fake camera (YUV4MPEG2): a part comes into an empty view, lies still, and goes again. */
import { writeFileSync } from 'node:fs';
import { seeded } from './seeded.ts';

export const filmWidth = 320;
export const filmHeight = 240;
const framesPerSecond = 30;
const frames = 120;
const partSide = 90;

/** Left edge of the part in a frame; null: it is out of view. */
function leftOf(frame: number): number | null {
  if (frame < 40) return null;
  if (frame < 55) return (frame - 40) * 8;
  if (frame < 95) return 112;
  return frame < 115 ? 112 + (frame - 94) * 11 : null;
}

/** The film runs in a loop: one part every four seconds. */
export function writeFilm(path: string): void {
  const random = seeded(3);
  const ground = Uint8Array.from({ length: filmWidth * filmHeight }, () => 90 + Math.floor(random() * 60));
  const texture = Uint8Array.from({ length: partSide * partSide }, () => 150 + Math.floor(random() * 80));
  const chroma = new Uint8Array((filmWidth * filmHeight) / 2).fill(128);
  const chunks: Uint8Array[] = [
    new TextEncoder().encode(`YUV4MPEG2 W${filmWidth} H${filmHeight} F${framesPerSecond}:1 Ip A1:1 C420jpeg\n`),
  ];
  for (let frame = 0; frame < frames; frame++) {
    const luma = Uint8Array.from(ground);
    const left = leftOf(frame);
    if (left !== null) {
      for (let y = 0; y < partSide; y++) {
        const row = texture.subarray(y * partSide, (y + 1) * partSide).subarray(0, Math.max(0, filmWidth - left));
        luma.set(row, (70 + y) * filmWidth + left);
      }
    }
    chunks.push(new TextEncoder().encode('FRAME\n'), luma, chroma);
  }
  writeFileSync(path, Buffer.concat(chunks));
}
