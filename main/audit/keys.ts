import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { signedText, type AuditCheckpoint } from '../../shared/audit/checkpoint.ts';
import { UserError } from '../../shared/errors.ts';
import { writeError } from '../system/atomic-file.ts';

/** The key that signs checkpoints, and where it is kept. */
export interface AuditKey {
  /** `osSecretStore`: sealed by the system for this user; `file`: a file that only its owner may read. */
  readonly keptIn: 'osSecretStore' | 'file' | 'memory';
  /** First 16 hex digits of the public key's sha256. */
  readonly keyId: string;
  /** SPKI, PEM: give this to whoever verifies. */
  readonly publicKeyPem: string;
  signCheckpoint(seq: number, hash: string, at: string): AuditCheckpoint;
}

/** Gives the key, making it the first time. */
export interface AuditKeyProvider {
  load(): Promise<AuditKey>;
}

/** What the system's secret store can do; Electron's `safeStorage` fits behind it. */
export interface SecretBox {
  /** Text to sealed bytes. */
  seal(text: string): Buffer | Promise<Buffer>;
  open(sealed: Buffer): string | Promise<string>;
}

/** A key in a file with permissions 0600: for the command line, and where the system has no secret store. */
export function fileKeyProvider(path: string): AuditKeyProvider {
  return {
    load: async () => {
      const pem = await loadOrMake(
        path,
        (text) => Buffer.from(text),
        (bytes) => bytes.toString('utf8'),
      );
      if (process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0) {
        throw new UserError(
          'auditKeyOpen',
          `The signing key "${path}" can be read by others.`,
          `Take their rights away: chmod 600 "${path}".`,
        );
      }
      return keyFromPem(pem, 'file', path);
    },
  };
}

/** A key in a file that the system's secret store has sealed: useless on another machine or to another user. */
export function sealedKeyProvider(path: string, box: SecretBox): AuditKeyProvider {
  return {
    load: async () =>
      keyFromPem(
        await loadOrMake(
          path,
          (text) => box.seal(text),
          (bytes) => box.open(bytes),
        ),
        'osSecretStore',
        path,
      ),
  };
}

/** A fresh key that is gone with the process. */
export function temporaryKey(): AuditKey {
  return keyFromPem(newKeyPem(), 'memory', 'memory');
}

function newKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function keyFromPem(pem: string, keptIn: AuditKey['keptIn'], path: string): AuditKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') throw unreadable(path, undefined);
  const publicKey = createPublicKey(privateKey);
  const keyId = keyIdOf(publicKey);
  return {
    keptIn,
    keyId,
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    signCheckpoint: (seq, hash, at) => {
      const unsigned = { format: 'twinspect-audit-checkpoint-1', seq, hash, at, keyId } as const;
      const signature = sign(null, Buffer.from(signedText(unsigned), 'utf8'), privateKey).toString('base64');
      return { ...unsigned, signature };
    },
  };
}

function keyIdOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

function unreadable(path: string, cause: unknown): UserError {
  return new UserError(
    'auditKeyUnreadable',
    `The signing key "${path}" can't be read.`,
    'Restore it from a copy. With a new key (move this file away), checkpoints signed so far need the old public key.',
    { cause },
  );
}

/** Reads the key's file, or makes one: written whole beside it first, and never over an existing key. */
async function loadOrMake(
  path: string,
  seal: (text: string) => Buffer | Promise<Buffer>,
  unseal: (bytes: Buffer) => string | Promise<string>,
): Promise<string> {
  const bytes = await readIfThere(path);
  if (bytes !== undefined) {
    try {
      return await unseal(bytes);
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }
  const sealed = await seal(newKeyPem());
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(sealed);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike a rename, a link fails when another process was faster: then its key counts.
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } catch (error) {
    throw writeError(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
  const written = await readIfThere(path);
  if (written === undefined) throw unreadable(path, undefined);
  return unseal(written);
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
}
