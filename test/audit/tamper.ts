import { eventLine, hashedText, type AuditEvent } from '../../shared/audit/event.ts';
import { createRandom, type Random } from '../../shared/random.ts';
import { AuditLog } from '../../main/audit/audit-log.ts';
import { sha256 } from '../../main/audit/hash.ts';
import { temporaryKey } from '../../main/audit/keys.ts';
import { MemoryAuditStorage, MemoryCheckpointStorage } from '../../main/audit/storage.ts';
import { verifyAuditLog, type AuditVerification } from '../../main/audit/verify.mjs';

/** A true log with its checkpoints, in memory. */
export interface TrueLog {
  events: AuditEvent[];
  checkpoints: string[];
  publicKeyPem: string;
}

/** Writes a log of plausible events. */
export async function makeLog(count: number, seed: number, every = 1): Promise<TrueLog> {
  const random = createRandom(seed);
  const storage = new MemoryAuditStorage();
  const checkpoints = new MemoryCheckpointStorage();
  const key = temporaryKey();
  let clock = Date.UTC(2026, 0, 5, 6);
  const log = await AuditLog.open({
    storage,
    signing: { key, checkpoints, every },
    now: () => new Date((clock += 1 + random.int(90_000))),
  });
  const actors = ['ann', 'ben', 'Jürgen Müller', '김철수', 'system'];
  const actions = ['label.set', 'threshold.changed', 'session.login', 'data.exported', 'training.finished'];
  for (let i = 0; i < count; i++) {
    await log.append({
      actor: actors[random.int(actors.length)]!,
      role: 'operator',
      action: actions[random.int(actions.length)]!,
      subject: `part ${String(random.int(500))} \u2028 "é"`,
      details: { before: random.normal(), after: random.normal(), note: 'line\nbreak', list: [1, null, true, {}] },
    });
  }
  await log.checkpoint();
  const lines = checkpoints.checkpoints.map((checkpoint) => JSON.stringify(sorted({ ...checkpoint })));
  return { events: storage.events, checkpoints: lines, publicKeyPem: key.publicKeyPem };
}

function sorted(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export interface Tampering {
  kind: string;
  /** What the verifier must name: the event, and how it is to be called; undefined where any finding will do. */
  seq?: number;
  finding?: string;
  result: AuditVerification;
}

const rehashed = (event: AuditEvent): AuditEvent => ({ ...event, hash: sha256(hashedText(event)) });

/** Numbers and chains everything from `from` on again, as one does who knows the format but has no key. */
function rechained(events: readonly AuditEvent[], from: number): AuditEvent[] {
  const out = events.slice(0, from);
  for (const event of events.slice(from)) {
    const prevHash = out.at(-1)?.hash ?? '0'.repeat(64);
    out.push(rehashed({ ...event, seq: out.length + 1, prevHash }));
  }
  return out;
}

/** @param alsoLink not where the link is made anew anyway: that would change nothing */
function changedField(event: AuditEvent, random: Random, alsoLink: boolean): AuditEvent {
  const texts = (['prevHash', 'at', 'actor', 'role', 'action', 'subject'] as const).slice(alsoLink ? 0 : 1);
  const field = texts[random.int(texts.length + 1)];
  if (field === undefined) return { ...event, details: { ...(event.details as object), after: random.normal() } };
  return { ...event, [field]: `${event[field]}${String(random.int(10))}` };
}

/** Tampers with a true log in one random way and lets the verifier look at it. */
export function tamper(log: TrueLog, random: Random): Tampering {
  const { events, checkpoints, publicKeyPem } = log;
  const n = events.length;
  const at = random.int(n);
  const seq = at + 1;
  const bytesOf = (list: readonly AuditEvent[]): Buffer =>
    Buffer.from(list.map((event) => `${eventLine(event)}\n`).join(''));
  const signedLines = (list: readonly string[]): Buffer => Buffer.from(list.map((line) => `${line}\n`).join(''));
  const check = (bytes: Buffer, signed = checkpoints): AuditVerification =>
    verifyAuditLog({ log: bytes, checkpoints: signedLines(signed), publicKeyPem });
  const of = (kind: string, changed: readonly AuditEvent[], finding?: string, where = seq): Tampering => ({
    kind,
    seq: where,
    ...(finding !== undefined && { finding }),
    result: check(bytesOf(changed)),
  });
  const replaced = (event: AuditEvent): AuditEvent[] => events.map((old, i) => (i === at ? event : old));
  const foreign = rehashed({ ...events[at]!, actor: 'mallory' });
  switch (random.int(14)) {
    case 0:
      return of('a field changed', replaced(changedField(events[at]!, random, true)), 'changed');
    case 1:
      return of(
        'a field changed, its hash made anew',
        replaced(rehashed(changedField(events[at]!, random, true))),
        'changed',
      );
    case 2:
      return of(
        'a field changed, all later hashes made anew',
        rechained(replaced(changedField(events[at]!, random, false)), at),
        'changed',
      );
    case 3: {
      const gone = 1 + random.int(Math.min(4, n - at));
      const rest = events.filter((_, i) => i < at || i >= at + gone);
      return of('events removed', rest, 'missing');
    }
    case 4:
      return of('the end cut off', events.slice(0, at), 'missing');
    case 5: {
      const [first, second] = [random.int(n - 1), random.int(n - 1)].sort((a, b) => a - b) as [number, number];
      const swapped = [...events];
      [swapped[first], swapped[second + 1]] = [swapped[second + 1]!, swapped[first]!];
      return of('two events swapped', swapped, 'reordered', second + 2);
    }
    case 6:
      return of(
        'a copy inserted',
        events.flatMap((event, i) => (i === at ? [event, event] : [event])),
        'inserted',
      );
    case 7:
      return of(
        'a foreign event inserted',
        events.flatMap((event, i) => (i === at ? [event, foreign] : [event])),
        'inserted',
      );
    case 8: {
      const longer = events.flatMap((event, i) => (i === at ? [foreign, event] : [event]));
      return of('a foreign event inserted, all made anew', rechained(longer, at), 'changed');
    }
    case 9: {
      if (at === n - 1) return of('the last event removed', events.slice(0, at), 'missing');
      return of(
        'an event removed, all made anew',
        rechained(
          events.filter((_, i) => i !== at),
          at,
        ),
        'changed',
      );
    }
    case 10:
      return of('a forged event added at the end', rechained([...events, foreign], n), 'unsigned', n + 1);
    case 11: {
      const bytes = bytesOf(events);
      const position = random.int(bytes.length);
      bytes[position] = bytes[position]! ^ (1 << random.int(8));
      return { kind: 'a bit flipped', result: check(bytes) };
    }
    case 12: {
      const bytes = bytesOf(events);
      return { kind: 'the file cut at a byte', result: check(bytes.subarray(0, random.int(bytes.length))) };
    }
    default: {
      const which = random.int(checkpoints.length);
      const line = checkpoints[which]!;
      const position = line.indexOf('"hash":"') + 8 + random.int(64);
      const digit = line[position] === '0' ? '1' : '0';
      const spoilt = line.slice(0, position) + digit + line.slice(position + 1);
      const result = check(
        bytesOf(events),
        checkpoints.map((old, i) => (i === which ? spoilt : old)),
      );
      return { kind: 'a checkpoint changed', finding: 'checkpointInvalid', result };
    }
  }
}

/** Whether the verifier found it and, where one event is concerned, named that one first and rightly. */
export function isFound({ result }: Tampering): boolean {
  return !result.ok;
}

export function isNamed({ seq, finding, result }: Tampering): boolean {
  return result.findings.some(
    (found) => (seq === undefined || found.seq === seq) && (finding === undefined || found.kind === finding),
  );
}
