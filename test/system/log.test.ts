import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { openLog } from '../../main/system/log.ts';

test('a log that has nowhere to go stops nothing; one that has is written', async () => {
  const root = mkdtempSync(path.join(tmpdir(), 'twinspect-log-'));
  try {
    // Below a file: nothing can be made there, whoever runs this.
    writeFileSync(path.join(root, 'file'), '');
    openLog(path.join(root, 'file', 'station')).info('said to nobody');
    openLog(path.join(root, 'station')).info('said');
    const file = path.join(root, 'station', 'logs', 'station.log');
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('"msg":"said"'), { timeout: 30_000 });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
