// Independent verifier of an audit log. Needs Node alone, and shares no code with the program that writes the log:
//
//   node verify.mjs LOG [--key PUBLIC.pem] [--checkpoints FILE] [--expect SEQ:HASH] [--json]
//
// LOG             one event a line
// --key           the public key the checkpoints must be signed with
// --checkpoints   default: LOG.checkpoints
// --expect        an event that must be there, e.g. from a printed report: finds a log and checkpoints cut off together
//
// Ends with 0 when everything holds, 1 when something was found, 2 when it can't be checked.
import { Buffer } from 'node:buffer';
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

const fields = ['seq', 'at', 'actor', 'role', 'action', 'subject', 'details', 'prevHash', 'hash'];
const checkpointFields = ['format', 'seq', 'hash', 'at', 'keyId', 'signature'];
const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/** The form a line must have: keys in order of their code units, no spaces. */
function canonical(value) {
  if (Array.isArray(value)) return '[' + value.map(canonical).join(',') + ']';
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return '{' + keys.map((key) => JSON.stringify(key) + ':' + canonical(value[key])).join(',') + '}';
}

function without(object, name) {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
}

/** Lines with what they hold; `item` is undefined for a line that isn't one canonical JSON object with these fields. */
function readLines(bytes, names) {
  const lines = [];
  let from = 0;
  while (from < bytes.length) {
    const end = bytes.indexOf(10, from);
    const raw = bytes.subarray(from, end < 0 ? bytes.length : end);
    const text = raw.toString('utf8');
    // Bytes that are no characters would be read as the same replacement sign, whichever they are.
    const item = Buffer.from(text, 'utf8').equals(raw) ? parse(text, names) : undefined;
    lines.push({ number: lines.length + 1, text, whole: end >= 0, item });
    if (end < 0) break;
    from = end + 1;
  }
  return lines;
}

function parse(text, names) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const keys = Object.keys(value);
  if (keys.length !== names.length || names.some((name) => !Object.hasOwn(value, name))) return undefined;
  return canonical(value) === text && Number.isSafeInteger(value.seq) && value.seq >= 1 ? value : undefined;
}

/** Sequence number that a spoilt line seems to have had. */
function seqOf(text) {
  const found = /"seq":(\d{1,15})\}?$/.exec(text) ?? /"seq":(\d{1,15})/.exec(text);
  return found === null ? undefined : Number(found[1]);
}

/**
 * Checks a log against itself and against its signed checkpoints.
 * @param {{ log: Buffer, checkpoints?: Buffer, publicKeyPem?: string, expect?: { seq: number, hash: string } }} given
 */
export function verifyAuditLog({ log, checkpoints, publicKeyPem, expect }) {
  const findings = [];
  const notes = [];
  const find = (kind, seq, line, text) => findings.push({ kind, seq, line, text });

  // 1. What was signed.
  const signed = new Map();
  let lastSigned = 0;
  const key = publicKeyPem === undefined ? undefined : createPublicKey(publicKeyPem);
  const keyId = key && sha256(key.export({ type: 'spki', format: 'der' })).slice(0, 16);
  for (const { number, whole, item } of readLines(checkpoints ?? Buffer.alloc(0), checkpointFields)) {
    // The last one may be torn by a stop: its event then counts as unsigned.
    if (!whole && item === undefined) continue;
    const said = item && Buffer.from(canonical(without(item, 'signature')), 'utf8');
    const good =
      item !== undefined &&
      (key === undefined ||
        (item.keyId === keyId && verifySignature(null, said, key, Buffer.from(String(item.signature), 'base64'))));
    if (!good) {
      find('checkpointInvalid', item?.seq, number, `checkpoint ${number} is not signed with this key, or was changed`);
      continue;
    }
    if (signed.has(item.seq) && signed.get(item.seq) !== item.hash)
      find('changed', item.seq, number, `event ${item.seq} was signed twice, with different content`);
    signed.set(item.seq, item.hash);
    lastSigned = Math.max(lastSigned, item.seq);
  }
  if (signed.size === 0)
    notes.push('No checkpoints: a log that was cut off at its end, or rewritten as a whole, would not be noticed.');
  else if (key === undefined)
    notes.push('No key: the checkpoints themselves are taken on trust. Give --key to check their signatures.');

  // 2. The events, in the order of the file.
  const lines = readLines(log, fields);
  const places = new Map();
  for (const { item, text } of lines) {
    const seq = item?.seq ?? seqOf(text);
    if (seq !== undefined) places.set(seq, (places.get(seq) ?? 0) + 1);
  }
  const seen = new Set();
  let next = 1;
  let before = { hash: '0'.repeat(64), suspect: false };
  let rewrittenFrom;
  let rewrittenTo;
  for (const { number, text, whole, item } of lines) {
    if (!whole) {
      find(
        'torn',
        next,
        number,
        `the last line (${number}) is not complete: writing it was interrupted, or it was cut`,
      );
      const seq = item?.seq ?? seqOf(text) ?? next;
      seen.add(seq);
      if (seq === next) next++;
      continue;
    }
    const holds = item !== undefined && sha256(canonical(without(item, 'hash'))) === item.hash;
    // The number of a line that was tampered with may be part of the lie.
    const said = item?.seq ?? seqOf(text) ?? next;
    const seq = holds || places.has(next) ? said : next;
    if (seen.has(seq)) {
      find('inserted', seq, number, `line ${number} was inserted: it is a second event ${seq}`);
      continue;
    }
    seen.add(seq);
    if (seq < next) {
      find('reordered', seq, number, `event ${seq} stands too late, on line ${number}`);
      continue;
    }
    if (seq > next) {
      const gone = [];
      for (let s = next; s < Math.min(seq, next + 100_000); s++) if (!places.has(s)) gone.push(s);
      for (const [first, last] of ranges(gone)) {
        const what = first === last ? `event ${first} is` : `events ${first} to ${last} are`;
        find('missing', first, number, `${what} missing before line ${number}`);
      }
      if (gone.length < seq - next) find('reordered', seq, number, `event ${seq} stands too early, on line ${number}`);
    }
    const inOrder = seq === next;
    next = seq + 1;
    if (item === undefined) {
      find(
        'changed',
        seq,
        number,
        `event ${seq} (line ${number}) was changed: it is not in the form it was written in`,
      );
      before = { hash: undefined, suspect: true };
      continue;
    }
    const trueHash = signed.get(seq);
    const linked = !inOrder || before.suspect || item.prevHash === before.hash;
    if (!holds) {
      find('changed', seq, number, `event ${seq} (line ${number}) was changed: it does not have its hash`);
    } else if (trueHash !== undefined && trueHash !== item.hash) {
      if (rewrittenTo === seq - 1) rewrittenTo = seq;
      else {
        rewrittenFrom = rewrittenTo = seq;
        const why = 'it was changed, inserted, or follows one that was taken away, and was given a new hash';
        find('changed', seq, number, `event ${seq} (line ${number}) is not the one that was signed: ${why}`);
      }
    } else if (!linked) {
      find('changed', seq, number, `event ${seq} (line ${number}) does not follow from event ${seq - 1}`);
    }
    before = { hash: item.hash, suspect: !holds };
  }
  if (rewrittenTo > rewrittenFrom)
    notes.push(`From event ${rewrittenFrom} to ${rewrittenTo} the log is not the one that was signed.`);

  // 3. Its end.
  const end = next - 1;
  if (lastSigned > end)
    find(
      'missing',
      end + 1,
      undefined,
      `the log ends with event ${end}, but event ${lastSigned} was signed: it was cut off`,
    );
  if (signed.size > 0 && end > lastSigned)
    find(
      'unsigned',
      lastSigned + 1,
      undefined,
      `events after ${lastSigned} are covered by no checkpoint: added without the key, or the program stopped before it could sign`,
    );
  if (expect !== undefined) {
    const found = lines.find(({ item }) => item?.seq === expect.seq)?.item;
    if (found === undefined)
      find('missing', expect.seq, undefined, `event ${expect.seq}, which is expected, is not there`);
    else if (found.hash !== expect.hash)
      find('changed', expect.seq, undefined, `event ${expect.seq} is not the one that is expected`);
  }
  const newest = lines.at(-1)?.item;
  return {
    ok: findings.length === 0,
    events: lines.length,
    signed: signed.size,
    newest: newest === undefined ? null : { seq: newest.seq, hash: newest.hash, at: newest.at },
    findings,
    notes,
  };
}

function ranges(numbers) {
  const found = [];
  for (const n of numbers) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === n - 1) last[1] = n;
    else found.push([n, n]);
  }
  return found;
}

/** The command line of this file. @param {string[]} args @returns {number} exit code */
export function main(args) {
  let values, positionals;
  try {
    ({ values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        key: { type: 'string' },
        checkpoints: { type: 'string' },
        expect: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    }));
    if (positionals.length !== 1) throw new Error('Give one log file.');
    const [log] = positionals;
    const beside = values.checkpoints ?? `${log}.checkpoints`;
    if (values.checkpoints !== undefined && !existsSync(beside)) throw new Error(`There is no file ${beside}.`);
    const expected = values.expect === undefined ? null : /^(\d+):([0-9a-f]{64})$/.exec(values.expect);
    if (values.expect !== undefined && expected === null) throw new Error('--expect looks like 12:HASH.');
    const result = verifyAuditLog({
      log: readFileSync(log),
      checkpoints: existsSync(beside) ? readFileSync(beside) : undefined,
      publicKeyPem: values.key === undefined ? undefined : readFileSync(values.key, 'utf8'),
      expect: expected === null ? undefined : { seq: Number(expected[1]), hash: expected[2] },
    });
    if (values.json) process.stdout.write(JSON.stringify(result) + '\n');
    else process.stdout.write(inWords(result));
    return result.ok ? 0 : 1;
  } catch (error) {
    process.stderr.write(
      `${error.message}\nusage: node verify.mjs LOG [--key PUBLIC.pem] [--checkpoints FILE] [--expect SEQ:HASH] [--json]\n`,
    );
    return 2;
  }
}

/** A result as lines of text. */
export function inWords({ ok, events, signed, newest, findings, notes }) {
  const head = ok
    ? `The log holds: ${events} events, ${signed} checkpoints.`
    : `The log does NOT hold: ${findings.length} finding(s) in ${events} events.`;
  const lines = [
    head,
    ...findings.map(({ kind, text }) => `  ${kind}: ${text}`),
    ...notes.map((note) => `Note: ${note}`),
  ];
  if (newest !== null) lines.push(`Newest event: ${newest.seq}:${newest.hash} (${newest.at})`);
  return lines.join('\n') + '\n';
}

if (process.argv[1] !== undefined && basename(process.argv[1]) === 'verify.mjs')
  process.exitCode = main(process.argv.slice(2));
