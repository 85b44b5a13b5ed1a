import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { appendFile, chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canonicalJson, eventLine, hashedText, type AuditEntry } from '../../shared/audit/event.ts';
import { createRandom } from '../../shared/random.ts';
import { AuditLog } from '../../main/audit/audit-log.ts';
import { readAuditLog } from '../../main/audit/file-storage.ts';
import { sha256 } from '../../main/audit/hash.ts';
import { fileKeyProvider, sealedKeyProvider, temporaryKey } from '../../main/audit/keys.ts';
import { auditFiles, openFileLog } from '../../main/audit/open-file-log.ts';
import { MemoryAuditStorage, MemoryCheckpointStorage } from '../../main/audit/storage.ts';
import { verifyAuditLog } from '../../main/audit/verify.mjs';
import { isFound, isNamed, makeLog, tamper } from './tamper.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinspect-audit-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const login: AuditEntry = { actor: 'ann', role: 'operator', action: 'session.login', subject: 'station 1' };

describe('canonical JSON', () => {
  test('as RFC 8785 prints its examples', () => {
    expect(
      canonicalJson({
        numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001, -0],
        string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
        literals: [null, true, false],
      }),
    ).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    expect(canonicalJson({ '\ufb33': 1, '\u{1f600}': 2, ö: 3, '1': 4, '\r': 5 })).toBe(
      '{"\\r":5,"1":4,"ö":3,"\u{1f600}":2,"\ufb33":1}',
    );
  });

  test.each([[Number.NaN], [Infinity], ['\ud800'], [[undefined]], [new Date()], [{ a: undefined }]])(
    '%s has no form',
    (value) => {
      expect(() => canonicalJson(value as never)).toThrow(TypeError);
    },
  );
});

describe('the chain', () => {
  test('each event holds the hash of the one before; simultaneous calls wait their turn', async () => {
    const storage = new MemoryAuditStorage();
    const log = await AuditLog.open({ storage });
    await Promise.all(Array.from({ length: 20 }, (_, i) => log.append({ ...login, subject: String(i) })));
    expect(storage.events.map(({ seq, subject }) => [seq, subject])).toEqual(
      Array.from({ length: 20 }, (_, i) => [i + 1, String(i)]),
    );
    storage.events.forEach((event, i) => {
      expect(event.prevHash).toBe(i === 0 ? '0'.repeat(64) : storage.events[i - 1]!.hash);
      expect(event.hash).toBe(sha256(hashedText(event)));
    });
  });

  test('what can not be recorded is refused, and the chain goes on', async () => {
    const storage = new MemoryAuditStorage();
    const log = await AuditLog.open({ storage });
    await expect(log.append({ ...login, details: { score: Number.NaN } })).rejects.toThrow('NaN');
    await expect(log.append({ ...login, actor: '' })).rejects.toThrow('actor');
    await expect(log.append({ ...login, action: 'drop table' })).rejects.toThrow('no action');
    await log.append(login);
    expect(storage.events.map(({ seq }) => seq)).toEqual([1]);
  });
});

describe('a log in a file', () => {
  const open = () => openFileLog({ ...auditFiles(join(folder, 'audit.jsonl')), key: join(folder, 'audit.key') });
  const verify = async (publicKeyPem?: string) =>
    verifyAuditLog({
      log: await readFile(join(folder, 'audit.jsonl')),
      checkpoints: await readFile(join(folder, 'audit.jsonl.checkpoints')),
      publicKeyPem,
    });

  test('goes on after it was closed, keeps its key, and holds', async () => {
    const first = await open();
    await first.log.append({ ...login, details: { note: 'a\u2028b\nc', größe: 1.5 } });
    await first.close();
    const second = await open();
    await second.log.append(login);
    await second.close();
    expect(second.key.keyId).toBe(first.key.keyId);
    expect(await verify(first.key.publicKeyPem)).toMatchObject({
      ok: true,
      events: 2,
      signed: 2,
      findings: [],
      notes: [],
    });
    const read = [];
    for await (const event of readAuditLog(join(folder, 'audit.jsonl'))) read.push(event.details);
    expect(read).toEqual([{ note: 'a\u2028b\nc', größe: 1.5 }, {}]);
  });

  test('a line torn by a stop is found by the verifier and cut off when the log is opened', async () => {
    const first = await open();
    await first.log.append(login);
    await first.close();
    await appendFile(join(folder, 'audit.jsonl'), '{"action":"session.log');
    expect((await verify(first.key.publicKeyPem)).findings[0]).toMatchObject({ kind: 'torn', seq: 2 });
    const second = await open();
    await second.log.append(login);
    await second.close();
    expect((await verify(first.key.publicKeyPem)).ok).toBe(true);
  });

  test('a stop between event and checkpoint is made up for, and said', async () => {
    const first = await open();
    await first.log.append(login);
    await first.log.append(login);
    await first.close();
    const path = join(folder, 'audit.jsonl.checkpoints');
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    await writeFile(path, `${lines[0]!}\n`);
    expect((await verify(first.key.publicKeyPem)).findings).toMatchObject([{ kind: 'unsigned', seq: 2 }]);
    const second = await open();
    await second.close();
    expect(second.log.last).toMatchObject({ action: 'audit.recovered', details: { unsignedEvents: 1, lastSigned: 1 } });
    expect((await verify(first.key.publicKeyPem)).ok).toBe(true);
  });

  test('a log that was cut or changed is not continued', async () => {
    const first = await open();
    for (let i = 0; i < 3; i++) await first.log.append(login);
    await first.close();
    const path = join(folder, 'audit.jsonl');
    const whole = await readFile(path, 'utf8');
    await writeFile(path, `${whole.trim().split('\n').slice(0, 2).join('\n')}\n`);
    await expect(open()).rejects.toMatchObject({ code: 'auditDamaged' });
    await writeFile(path, whole.replace(/"actor":"ann"(?!.*"actor")/s, '"actor":"bob"'));
    await expect(open()).rejects.toMatchObject({ code: 'auditDamaged' });
  });

  test('the key: only its owner may read it, a foreign one does not verify', async () => {
    const { log, key, close } = await open();
    await log.append(login);
    await close();
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect((await verify(other)).findings[0]).toMatchObject({ kind: 'checkpointInvalid' });
    expect((await verify(key.publicKeyPem)).ok).toBe(true);
    if (process.platform === 'win32') return;
    const path = join(folder, 'audit.key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await chmod(path, 0o644);
    await expect(fileKeyProvider(path).load()).rejects.toMatchObject({ code: 'auditKeyOpen' });
  });

  test('a sealed key comes back from its box, and only from it', async () => {
    const xor = (text: Buffer): Buffer => Buffer.from(text.map((byte) => byte ^ 0x5a));
    const box = { seal: (text: string) => xor(Buffer.from(text)), open: (sealed: Buffer) => xor(sealed).toString() };
    const path = join(folder, 'sealed.key');
    const made = await sealedKeyProvider(path, box).load();
    expect(made.keptIn).toBe('osSecretStore');
    expect(await readFile(path, 'latin1')).not.toContain('PRIVATE KEY');
    expect((await sealedKeyProvider(path, box).load()).keyId).toBe(made.keyId);
    const broken = { ...box, open: () => 'nonsense' };
    await expect(sealedKeyProvider(path, broken).load()).rejects.toMatchObject({ code: 'auditKeyUnreadable' });
  });

  test('the verifier runs by itself, with a file and a key', async () => {
    const { log, key, close } = await open();
    await log.append(login);
    await log.append(login);
    await close();
    const path = join(folder, 'audit.jsonl');
    const pem = join(folder, 'public.pem');
    await writeFile(pem, key.publicKeyPem);
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, ['main/audit/verify.mjs', ...args]).then(
        ({ stdout }) => ({ code: 0, stdout }),
        (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
      );
    expect(await run(path, '--key', pem)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('The log holds: 2 events'),
    });
    const expected = `2:${log.last!.hash}`;
    expect((await run(path, '--key', pem, '--expect', expected)).code).toBe(0);
    // Log and checkpoints cut together: only somebody who remembers notices.
    for (const file of [path, `${path}.checkpoints`]) {
      await writeFile(file, `${(await readFile(file, 'utf8')).split('\n')[0]!}\n`);
    }
    expect((await run(path, '--key', pem)).code).toBe(0);
    expect(await run(path, '--key', pem, '--expect', expected)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('missing: event 2'),
    });
    expect((await run(join(folder, 'none'))).code).toBe(2);
  });
});

describe('electronic signatures', () => {
  const change = {
    actor: 'ann',
    role: 'quality manager',
    action: 'threshold.changed',
    subject: 'model 1',
    change: { before: 3, after: 4, reason: 'new lot' },
    meaning: 'approver',
  } as const;
  const isSecretOf = (actor: string, secret: string): boolean => actor === 'ann' && secret === 'right';

  test('the right secret: the change stands with who, when, what it means, and what exactly was signed', async () => {
    const storage = new MemoryAuditStorage();
    const log = await AuditLog.open({ storage });
    const event = await log.appendSigned({ ...change, secret: 'right' }, isSecretOf);
    expect(event.details).toMatchObject({
      change: change.change,
      signature: {
        signer: 'ann',
        meaning: 'approver',
        statement: 'I approve this change.',
        signedAt: event.at,
        method: 'reenteredSecret',
        changeHash: sha256(canonicalJson({ action: change.action, subject: change.subject, change: change.change })),
      },
    });
    expect(eventLine(event)).not.toContain('right');
  });

  test('the wrong secret: nothing but the refusal is recorded', async () => {
    const storage = new MemoryAuditStorage();
    const log = await AuditLog.open({ storage });
    await expect(log.appendSigned({ ...change, secret: 'wrong' }, isSecretOf)).rejects.toMatchObject({
      code: 'signatureRefused',
    });
    expect(storage.events.map(({ action }) => action)).toEqual(['signature.refused']);
    expect(eventLine(storage.events[0]!)).not.toContain('wrong');
  });
});

describe('tampering', () => {
  test('150 random ones are all found, each with its event', async () => {
    const random = createRandom(11);
    const log = await makeLog(25, 3);
    for (let i = 0; i < 150; i++) {
      const done = tamper(log, random);
      expect([done.kind, isFound(done), isNamed(done)]).toEqual([done.kind, true, true]);
    }
  });

  test('with a checkpoint only now and then, the log still holds and still notices its end', async () => {
    const { events, checkpoints, publicKeyPem } = await makeLog(23, 4, 10);
    expect(checkpoints).toHaveLength(3);
    const check = (count: number) =>
      verifyAuditLog({
        log: Buffer.from(
          events
            .slice(0, count)
            .map((event) => `${eventLine(event)}\n`)
            .join(''),
        ),
        checkpoints: Buffer.from(checkpoints.map((line) => `${line}\n`).join('')),
        publicKeyPem,
      });
    expect(check(23).ok).toBe(true);
    expect(check(21).findings).toMatchObject([{ kind: 'missing', seq: 22 }]);
  });

  test('without checkpoints the verifier says what it can not see', async () => {
    const storage = new MemoryAuditStorage();
    const log = await AuditLog.open({ storage });
    await log.append(login);
    const bytes = Buffer.from(storage.events.map((event) => `${eventLine(event)}\n`).join(''));
    expect(verifyAuditLog({ log: bytes }).notes.join()).toContain('would not be noticed');
  });

  test('a storage that fails leaves the chain where it was', async () => {
    const storage = new MemoryAuditStorage();
    const checkpoints = new MemoryCheckpointStorage();
    const log = await AuditLog.open({ storage, signing: { key: temporaryKey(), checkpoints } });
    await log.append(login);
    const append = storage.append.bind(storage);
    storage.append = () => {
      throw new Error('disk full');
    };
    await expect(log.append(login)).rejects.toThrow('disk full');
    storage.append = append;
    expect((await log.append(login)).seq).toBe(2);
  });
});
