import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../system/atomic-file.ts';

/** A short random id for everything but parts. */
export function newId(): string {
  return randomBytes(9).toString('base64url');
}

/**
 * The station's files beside the database. Pictures lie under their content's hash, so the same picture is there once
 * and a file can't change unnoticed; each is complete or not there at all.
 */
export class StationFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** `pictures/ab/<sha256>.<extension>` */
  picturePath(sha256: string, extension: string): string {
    return join(this.folder, 'pictures', sha256.slice(0, 2), `${sha256}.${extension}`);
  }

  /** PNG or whatever the judging process draws; one per part. */
  heatMapPath(partId: number): string {
    return join(this.folder, 'heat-maps', String(Math.floor(partId / 10_000)), `${partId}.png`);
  }

  modelPath(fileName: string): string {
    return join(this.folder, 'models', fileName);
  }

  /** Writes the picture unless it's there. @returns its sha256 */
  async addPicture(bytes: Uint8Array, extension: string): Promise<string> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const path = this.picturePath(sha256, extension);
    if (!existsSync(path)) await writeFileAtomic(path, bytes);
    return sha256;
  }

  async saveHeatMap(partId: number, bytes: Uint8Array): Promise<void> {
    await writeFileAtomic(this.heatMapPath(partId), bytes);
  }

  async heatMap(partId: number): Promise<Buffer | null> {
    return readFile(this.heatMapPath(partId)).catch(() => null);
  }

  /** Removes a file. @returns the bytes that are free now; 0 when it was not there */
  async remove(path: string): Promise<number> {
    const bytes = await stat(path).then(
      ({ size }) => size,
      () => 0,
    );
    await rm(path, { force: true });
    return bytes;
  }
}
