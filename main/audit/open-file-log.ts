import { AuditLog } from './audit-log.ts';
import { FileAuditStorage, FileCheckpointStorage } from './file-storage.ts';
import { fileKeyProvider, type AuditKey, type AuditKeyProvider } from './keys.ts';

/** Files of a log: the key lies beside it by default, for the command line; the checkpoints too. */
export interface AuditFiles {
  log: string;
  checkpoints: string;
  key: string;
}

/** Where the files of a log lie. @param keyPath the signing key, when it does not lie beside the log */
export function auditFiles(log: string, keyPath?: string): AuditFiles {
  return { log, checkpoints: `${log}.checkpoints`, key: keyPath ?? `${log}.key` };
}

/** A log in files, open for adding. */
export interface OpenAuditLog {
  log: AuditLog;
  key: AuditKey;
  close(): Promise<void>;
}

/**
 * Opens (or begins) a log in files, every event signed.
 * @param keys where the key comes from; default: the key file of `files`
 * @throws UserError `auditDamaged`, `auditKeyOpen`, `auditKeyUnreadable`, or that a file can't be written
 */
export async function openFileLog(
  files: AuditFiles,
  keys: AuditKeyProvider = fileKeyProvider(files.key),
): Promise<OpenAuditLog> {
  const key = await keys.load();
  const storage = await FileAuditStorage.open(files.log);
  let checkpoints: FileCheckpointStorage | undefined;
  const close = async (): Promise<void> => {
    await storage.close();
    await checkpoints?.close();
  };
  try {
    checkpoints = await FileCheckpointStorage.open(files.checkpoints);
    return { log: await AuditLog.open({ storage, signing: { key, checkpoints } }), key, close };
  } catch (error) {
    await close();
    throw error;
  }
}
