import { InvalidArgumentError, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { JsonValue } from '../../../shared/audit/event.ts';
import { UserError } from '../../../shared/errors.ts';
import { addCommand, parseCount, reporterOf, type CommandContext } from '../context.ts';
import { formatTable } from '../console.ts';
import { exitCodes } from '../exit-codes.ts';

/** `twinspect audit verify|show|add|key|export` */
export function addAuditCommand(program: Command, context: CommandContext): void {
  const group = program.command('audit').description('the log of who did what: check it, read it, add to it');

  addCommand(group, 'verify <log>', 'find any changed, missing, reordered or inserted event, and say which', [
    'audit verify audit.jsonl --key audit-public.pem',
    'audit verify audit.jsonl --key audit-public.pem --expect 120:9f2c...',
  ])
    .option('--key <file>', 'public key that the checkpoints must be signed with')
    .option('--checkpoints <file>', 'signed checkpoints (default: <log>.checkpoints)')
    .option('--expect <seq:hash>', 'an event that must be there, e.g. from a printed report', parseExpect)
    .action(async (log: string, options: VerifyOptions) => {
      const reporter = reporterOf(context, options);
      const { inWords, verifyAuditLog } = await import('../../audit/verify.mjs');
      const checkpoints = options.checkpoints ?? `${log}.checkpoints`;
      const isAsked = options.checkpoints !== undefined;
      const result = verifyAuditLog({
        log: await read(log),
        checkpoints: isAsked || existsSync(checkpoints) ? await read(checkpoints) : undefined,
        publicKeyPem: options.key === undefined ? undefined : (await read(options.key)).toString('utf8'),
        expect: options.expect,
      });
      reporter.record(result);
      reporter.say(inWords(result).trimEnd());
      if (!result.ok) context.endWith(exitCodes.error);
    });

  addCommand(group, 'show <log>', 'show the newest events', ['audit show audit.jsonl --last 20'])
    .option('--last <count>', 'how many', parseCount, 20)
    .action(async (log: string, options: { last: number; json?: boolean }) => {
      const reporter = reporterOf(context, options);
      const { readAuditLog } = await import('../../audit/file-storage.ts');
      await read(log);
      const events = [];
      for await (const event of readAuditLog(log)) {
        events.push(event);
        if (events.length > options.last) events.shift();
      }
      for (const event of events) reporter.record(event);
      const rows = events.map(({ seq, at, actor, role, action, subject }) =>
        [String(seq), at, actor, role, action, subject].map(printable),
      );
      reporter.say(formatTable(['event', 'at', 'who', 'role', 'what', 'of what'], rows));
    });

  addCommand(group, 'add <log>', 'add an event, hash-chained and signed; the first one begins the log', [
    'audit add audit.jsonl --action data.exported --subject results.zip --details "{\\"parts\\":120}"',
  ])
    .requiredOption('--action <name>', 'such as data.exported')
    .requiredOption('--subject <text>', 'what it was done to')
    .option('--actor <name>', 'who did it (default: the user of this machine)')
    .option('--role <name>', 'in which role', 'operator')
    .option('--details <json>', 'more about it', parseJson, {})
    .option('--key-file <file>', 'signing key, made if it is not there (default: <log>.key, readable by you alone)')
    .action(async (log: string, options: AddOptions) => {
      const reporter = reporterOf(context, options);
      const { auditFiles, openFileLog } = await import('../../audit/open-file-log.ts');
      const opened = await openFileLog(auditFiles(log, options.keyFile));
      try {
        const { action, subject, role, details } = options;
        const event = await opened.log.append({
          actor: options.actor ?? userInfo().username,
          role,
          action,
          subject,
          details,
        });
        reporter.record(event);
        reporter.say(`Event ${String(event.seq)}:${event.hash}`);
      } finally {
        await opened.close();
      }
    });

  addCommand(group, 'key <log>', 'print the public key that verifies the checkpoints, for those who check', [
    'audit key audit.jsonl > audit-public.pem',
  ])
    .option('--key-file <file>', 'signing key (default: <log>.key)')
    .action(async (log: string, options: { keyFile?: string; json?: boolean }) => {
      const reporter = reporterOf(context, options);
      const { auditFiles } = await import('../../audit/open-file-log.ts');
      const { fileKeyProvider } = await import('../../audit/keys.ts');
      const path = auditFiles(log, options.keyFile).key;
      await read(path);
      const { keyId, publicKeyPem, keptIn } = await fileKeyProvider(path).load();
      reporter.record({ keyId, publicKeyPem, keptIn });
      reporter.note(`Key ${keyId}, kept in the file ${path}`);
      reporter.say(publicKeyPem.trimEnd());
    });

  addCommand(group, 'export', "write a station's log with its checkpoints and public key, as the verifier reads them", [
    'audit export --station STATION_FOLDER --out log.jsonl',
    'audit verify log.jsonl --key log.jsonl.pem',
  ])
    .requiredOption('--station <folder>', "the station's folder, with station.db; it may be running")
    .requiredOption('--out <file>', 'log, one event a line; beside it FILE.checkpoints and FILE.pem')
    .action(async (options: { station: string; out: string; json?: boolean }) => {
      const reporter = reporterOf(context, options);
      const { exportStationLog } = await import('../../store/export-log.ts');
      const result = await exportStationLog(options.station, options.out);
      reporter.record(result);
      reporter.say(`${String(result.events)} events written to ${result.log}. Newest: ${result.newest ?? 'none'}`);
      if (result.checkpoints === null) reporter.note('The station has signed nothing yet: a cut end would not show.');
      if (result.publicKey === null) reporter.note('The station has not left its public key.');
    });
}

interface VerifyOptions {
  key?: string;
  checkpoints?: string;
  expect?: { seq: number; hash: string };
  json?: boolean;
}

interface AddOptions {
  action: string;
  subject: string;
  actor?: string;
  role: string;
  details: JsonValue;
  keyFile?: string;
  json?: boolean;
}

/** A log may hold anything; a terminal must not be steered by it. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new UserError('auditUnreadable', `"${path}" can't be read.`, 'Check the path.', { cause });
  }
}

function parseExpect(text: string): { seq: number; hash: string } {
  const found = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (found === null) throw new InvalidArgumentError('Give it as 120:HASH, with the 64 digits of the hash.');
  return { seq: Number(found[1]), hash: found[2]! };
}

function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw new InvalidArgumentError('Give JSON, e.g. {"parts":120}.');
  }
}
