import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { sealFiles } from '../store/export-log.ts';
import { FileCheckpointStorage } from '../audit/file-storage.ts';
import { fileKeyProvider, sealedKeyProvider, type AuditKey, type SecretBox } from '../audit/keys.ts';
import type { Store } from '../store/store.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';

/** How long an event may stand unsigned. */
const everyMs = 60_000;

/**
 * Signs the newest event of the audit log now and then, into a file beside the database: whoever rewrites or shortens
 * the log can't make the signatures fit. The verifier reads both.
 */
export class AuditSeals {
  readonly key: AuditKey;
  readonly #store: Store;
  readonly #checkpoints: FileCheckpointStorage;
  /** Where the checkpoints are. */
  readonly #file: string;
  #timer: NodeJS.Timeout | undefined;
  #signing: Promise<void> = Promise.resolve();

  private constructor(store: Store, key: AuditKey, checkpoints: FileCheckpointStorage, file: string) {
    this.#file = file;
    this.#store = store;
    this.key = key;
    this.#checkpoints = checkpoints;
  }

  /**
   * @param box the system's secret store; without one the key lies in a file that only this user may read
   * @param onFailure hears why a checkpoint could not be written; the next one makes up for it
   */
  static async open(
    store: Store,
    box: SecretBox | undefined,
    onFailure: (error: unknown) => void,
  ): Promise<AuditSeals> {
    const folder = path.join(store.folder, 'audit');
    const provider =
      box === undefined
        ? fileKeyProvider(path.join(folder, 'signing-key.pem'))
        : sealedKeyProvider(path.join(folder, 'signing-key.sealed'), box);
    const { checkpoints: file, publicKey } = sealFiles(store.folder);
    const key = await provider.load();
    // For those who check: the key itself may be out of their reach.
    await writeFileAtomic(publicKey, key.publicKeyPem);
    const seals = new AuditSeals(store, key, await FileCheckpointStorage.open(file), file);
    seals.#timer = setInterval(() => void seals.sign().catch(onFailure), everyMs);
    seals.#timer.unref();
    return seals;
  }

  /** Signs the newest event unless it's signed already. */
  sign(): Promise<void> {
    const next = this.#signing.then(async () => {
      const last = this.#store.events.last();
      if (last === undefined || this.#checkpoints.last()?.seq === last.seq) return;
      await this.#checkpoints.append(this.key.signCheckpoint(last.seq, last.hash, new Date().toISOString()));
    });
    this.#signing = next.catch(() => undefined);
    return next;
  }

  /** @see LogSignatures */
  async current(): Promise<{ checkpoints: Buffer; publicKeyPem: string }> {
    await this.sign();
    return { checkpoints: await readFile(this.#file), publicKeyPem: this.key.publicKeyPem };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.sign();
    await this.#checkpoints.close();
  }
}
