import { safeStorage } from 'electron';
import type { SecretBox } from '../audit/keys.ts';

/** The operating system's secret store, where it has one; undefined: it has none, or only a pretended one. */
export function systemSecretBox(): SecretBox | undefined {
  if (!safeStorage.isEncryptionAvailable()) return undefined;
  // On Linux without a key ring, Electron "encrypts" with a password that is in its source.
  if (process.platform === 'linux' && safeStorage.getSelectedStorageBackend() === 'basic_text') return undefined;
  return {
    seal: (text) => safeStorage.encryptString(text),
    open: (sealed) => safeStorage.decryptString(sealed),
  };
}
