/** Stored pictures are named by their content; a picture cut out of one for training keeps that name. */
export function originalSha256({ sha256, fileName }: { sha256: string; fileName: string }): string {
  return /(?:^|\/)([0-9a-f]{64})\.[a-z]+$/.exec(fileName)?.[1] ?? sha256;
}
