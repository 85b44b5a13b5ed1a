// Tampers with audit logs at random and counts what the independent verifier finds and names:
//   node bench/run.mjs bench/audit-tamper.ts [tamperings = 1000] [seed = 1]
import { createRandom } from '../shared/random.ts';
import { verifyAuditLog } from '../main/audit/verify.mjs';
import { eventLine } from '../shared/audit/event.ts';
import { isFound, isNamed, makeLog, tamper } from '../test/audit/tamper.ts';
import { formatTable } from '../main/cli/console.ts';

const count = Number(process.argv[2] ?? 1000);
const seed = Number(process.argv[3] ?? 1);
const random = createRandom(seed);
const kinds = new Map<string, { count: number; found: number; named: number }>();
const logs = await Promise.all([5, 40, 120].map((size, i) => makeLog(size, seed + i)));
for (const { events, checkpoints, publicKeyPem } of logs) {
  const untouched = verifyAuditLog({
    log: Buffer.from(events.map((event) => `${eventLine(event)}\n`).join('')),
    checkpoints: Buffer.from(checkpoints.map((line) => `${line}\n`).join('')),
    publicKeyPem,
  });
  if (!untouched.ok) throw new Error('the verifier finds fault with a true log');
}
for (let i = 0; i < count; i++) {
  const done = tamper(logs[random.int(logs.length)]!, random);
  const entry = kinds.get(done.kind) ?? { count: 0, found: 0, named: 0 };
  entry.count++;
  if (isFound(done)) entry.found++;
  if (isNamed(done)) entry.named++;
  kinds.set(done.kind, entry);
}
const rows = [...kinds].map(([kind, entry]) => [kind, String(entry.count), String(entry.found), String(entry.named)]);
console.log(formatTable(['tampering', 'times', 'found', 'event named'], rows));
const found = [...kinds.values()].reduce((sum, entry) => sum + entry.found, 0);
const named = [...kinds.values()].reduce((sum, entry) => sum + entry.named, 0);
console.log(`${String(found)} of ${String(count)} found, ${String(named)} with the event and the kind named`);
process.exitCode = found === count ? 0 : 1;
