import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** Cost, block size, parallelism: 32 MiB and some 100 ms per guess. */
const cost = { N: 2 ** 15, r: 8, p: 1 };
const keyBytes = 32;

/** @returns `scrypt$N$r$p$salt$hash`, salt and hash in base64 */
export async function hashSecret(secret: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(secret, salt, cost);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64'), key.toString('base64')].join('$');
}

/** Whether the secret is the one that was hashed; takes as long for a wrong one, and for a hash that isn't one. */
export async function isSecret(secret: string, hashed: string | null): Promise<boolean> {
  const [kind, N, r, p, salt, key] = (hashed ?? '').split('$');
  if (kind !== 'scrypt' || salt === undefined || key === undefined) {
    await derive(secret, Buffer.alloc(16), cost);
    return false;
  }
  const expected = Buffer.from(key, 'base64');
  const given = await derive(secret, Buffer.from(salt, 'base64'), { N: Number(N), r: Number(r), p: Number(p) });
  return expected.length === given.length && timingSafeEqual(given, expected);
}

function derive(secret: string, salt: Buffer, parameters: typeof cost): Promise<Buffer> {
  return new Promise((done, fail) => {
    // The same secret typed on another keyboard may be composed otherwise.
    scrypt(secret.normalize('NFKC'), salt, keyBytes, { ...parameters, maxmem: 128 * 2 ** 20 }, (error, key) => {
      if (error === null) done(key);
      else fail(error);
    });
  });
}
