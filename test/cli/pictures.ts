import { encode } from 'fast-png';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A grey PNG; a brightness of 0..255. `salt` changes the content without changing the look. */
export function greyPng(brightness: number, side = 16, salt = 0): Uint8Array {
  const data = new Uint8Array(side * side).fill(brightness);
  data[0] = (brightness + salt) % 256;
  return encode({ width: side, height: side, channels: 1, depth: 8, data });
}

/** At once, so that nobody who watches the folder ever sees it half-written. */
export async function writePicture(path: string, brightness: number, side = 16, salt = 0): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, greyPng(brightness, side, salt));
  await rename(`${path}.part`, path);
}
