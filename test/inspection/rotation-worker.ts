// Keeps records in a watch journal that is rotated at every start, until it's killed; says each number that is durable.
import { writeSync } from 'node:fs';
import { WatchJournal } from '../../main/inspection/watch-journal.ts';
import { watchRecord } from './rotation-record.ts';

const [path = '', from = '0'] = process.argv.slice(2);
const journal = await WatchJournal.open(path, '/in', 3);
const say = (what: string): void => void writeSync(1, `${what}\n`);
say(`open ${String(journal.totals.presented)}`);
const settle = (): Promise<void> => Promise.resolve();
for (let i = journal.untold.splice(0).length; i > 0; i--) await journal.markTold(settle);
for (let n = Number(from); ; n++) {
  const { record, part } = watchRecord(n);
  // Seen and claimed before it's durable, as the flow does it: a kill in between must not make it known.
  if (journal.states.has(part.stateKey)) say(`known ${String(n)}`);
  journal.states.add(part.stateKey);
  journal.claim(part.relative, record.contentHash!);
  await journal.keep(record, part);
  say(`kept ${String(n)}`);
  if (n % 3 !== 0) await journal.markTold(settle, n % 2 === 0);
}
