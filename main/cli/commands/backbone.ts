import { InvalidArgumentError, type Command } from 'commander';
import { readRegistry, findBackbone, verifyBackbone, type BackboneEntry } from '../../backbones/registry.ts';
import {
  checkStored,
  howToGet,
  readStored,
  removeStored,
  storedIds,
  storedPath,
  storeFolder,
  type StoredBackbone,
} from '../../backbones/store.ts';
import { modelsDir } from '../../system/project-root.ts';
import { formatTable, type Progress, type Reporter } from '../console.ts';
import { addCommand, collect, reporterOf, type CommandContext } from '../context.ts';

interface StoreOptions {
  json?: boolean;
  store?: string;
}

interface FetchOptions extends StoreOptions {
  url?: string;
  sha256?: string;
  ca?: string;
  allowHost?: string[];
}

interface ImportCommandOptions extends StoreOptions {
  id?: string;
  sha256?: string;
}

/** `twinspect backbone list|info|fetch|import|verify|remove` */
export function addBackboneCommand(program: Command, context: CommandContext): void {
  const group = program.command('backbone').description('the pretrained networks that models build on');
  const add = (name: string, summary: string, examples: readonly string[]): Command =>
    addCommand(group, name, summary, examples).option(
      '--store <dir>',
      'folder of fetched and imported backbones (default: TWINSPECT_BACKBONES, or your own data folder)',
    );

  add('list', 'list the backbones this installation knows', ['backbone list']).action(async (options: StoreOptions) => {
    const reporter = reporterOf(context, options);
    const store = storeFolder(options.store);
    const { backbones } = await readRegistry(modelsDir());
    const rows: string[][] = [];
    for (const entry of backbones) {
      const stored = entry.bundled ? null : await storedOrProblem(store, entry.id);
      reporter.record({ ...entry, stored });
      const where = entry.bundled ? 'bundled' : stored === null ? 'to be fetched' : whereOf(stored);
      rows.push([entry.id, entry.title, `${String(entry.input.size)} px`, entry.licence, where]);
    }
    reporter.say(formatTable(['backbone', 'what', 'input', 'licence', 'where'], rows));
    reporter.note(`Fetched and imported backbones: ${store}`);
  });

  add('info <id>', 'show source, licence, layout and stored file of a backbone', [
    'backbone info efficientnet-lite2',
    'backbone info dinov2-with-registers-base',
  ]).action(async (id: string, options: StoreOptions) => {
    const reporter = reporterOf(context, options);
    const store = storeFolder(options.store);
    const entry = findBackbone(await readRegistry(modelsDir()), id);
    const stored = entry.bundled ? null : await readStored(store, id);
    reporter.record({ ...entry, stored });
    sayBackbone(reporter, entry);
    if (entry.bundled) return;
    if (stored === null) reporter.say(`stored       no. ${howToGet(id)}`);
    else sayStored(reporter, store, stored);
  });

  add('fetch <id>', 'download the weights of a backbone; goes on where an earlier try broke off', [
    'backbone fetch dinov2-with-registers-base',
    'backbone fetch dinov2-with-registers-small --url https://mirror.example/model.safetensors --ca company.pem',
  ])
    .option('--url <address>', 'another source than the registry’s, e.g. a mirror')
    .option('--sha256 <hex>', 'what the file must be', parseSha256)
    .option('--ca <file>', 'certificate authorities of your network (PEM), beside NODE_EXTRA_CA_CERTS')
    .option('--allow-host <name>', 'another host that the source may send on to; may be given again', collect)
    .addHelpText('after', '\nProxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY.\n')
    .action(async (id: string, options: FetchOptions) => {
      const reporter = reporterOf(context, options);
      const { fetchBackbone } = await import('../../backbones/fetch-backbone.ts');
      const { megabytes } = await import('../../backbones/fetch.ts');
      const store = storeFolder(options.store);
      const entry = findBackbone(await readRegistry(modelsDir()), id);
      const shown = byteProgress(reporter);
      const { record, statement } = await fetchBackbone(entry, {
        store,
        ...(options.url !== undefined && { url: options.url }),
        ...(options.sha256 !== undefined && { sha256: options.sha256 }),
        ...(options.ca !== undefined && { caFile: options.ca }),
        ...(options.allowHost !== undefined && { allowHosts: options.allowHost }),
        signal: context.signal,
        onStart: ({ fileName, host, proxy, totalBytes, haveBytes }) => {
          const size = totalBytes === undefined ? 'size not told' : megabytes(totalBytes);
          const via = proxy === null ? '' : ` through the proxy ${proxy}`;
          const have = haveBytes === 0 ? '' : `; ${megabytes(haveBytes)} are already here`;
          reporter.say(`${fileName}, ${size}, from ${host}${via}${have}. Licence: ${entry.licence}.`);
          shown.from(haveBytes);
        },
        onProgress: (done, total) => shown.update(done, total),
        onNotice: (message) => reporter.note(message),
      });
      reporter.settle();
      reporter.record({ ...record, statement });
      reporter.say(statement);
      sayStored(reporter, store, record);
    });

  add('import <file>', 'take in a weight file that was carried here by hand', [
    'backbone import dinov2_vitb14_reg4_pretrain.pth',
    'backbone import model.safetensors --id dinov2-with-registers-base',
    'backbone import model.safetensors.index.json     (a file in shards)',
  ])
    .option('--id <id>', 'which backbone it must be (default: the weights tell)')
    .option('--sha256 <hex>', 'what the file must be', parseSha256)
    .action(async (file: string, options: ImportCommandOptions) => {
      const reporter = reporterOf(context, options);
      const { importBackbone } = await import('../../backbones/import.ts');
      const store = storeFolder(options.store);
      const shown = byteProgress(reporter);
      const { record, statement } = await importBackbone(file, {
        store,
        registry: await readRegistry(modelsDir()),
        ...(options.id !== undefined && { id: options.id }),
        ...(options.sha256 !== undefined && { sha256: options.sha256 }),
        signal: context.signal,
        onProgress: (done, total) => shown.update(done, total),
      });
      reporter.settle();
      reporter.record({ ...record, statement });
      reporter.say(statement);
      sayStored(reporter, store, record);
    });

  add('verify [id]', 'check the files of one or all backbones against their sha256', [
    'backbone verify',
    'backbone verify dinov2-with-registers-base --json',
  ]).action(async (id: string | undefined, options: StoreOptions) => {
    const reporter = reporterOf(context, options);
    const store = storeFolder(options.store);
    const registry = await readRegistry(modelsDir());
    const stored = await storedIds(store);
    const entries =
      id === undefined
        ? registry.backbones.filter((entry) => entry.bundled || stored.includes(entry.id))
        : [findBackbone(registry, id)];
    for (const entry of entries) await verifyOne(reporter, registry, entry, store, id !== undefined);
  });

  add('remove <id>', 'delete a fetched or imported backbone; models that were trained with it keep working', [
    'backbone remove dinov2-with-registers-large',
  ]).action(async (id: string, options: StoreOptions) => {
    const reporter = reporterOf(context, options);
    const store = storeFolder(options.store);
    const entry = findBackbone(await readRegistry(modelsDir()), id);
    const removed = !entry.bundled && (await removeStored(store, id));
    reporter.record({ id, removed });
    if (entry.bundled) reporter.say(`${id} comes with Twinspect and stays.`);
    else reporter.say(removed ? `${id}: removed from ${store}.` : `${id} was not in ${store}.`);
  });
}

async function verifyOne(
  reporter: Reporter,
  registry: Awaited<ReturnType<typeof readRegistry>>,
  entry: BackboneEntry,
  store: string,
  asked: boolean,
): Promise<void> {
  const { id } = entry;
  if (entry.bundled) {
    const files = await verifyBackbone(registry, entry);
    reporter.record({ id, ok: true, files });
    reporter.say(`${id}: ${String(files.length)} file(s) as registered.`);
    return;
  }
  const { locateBackbone } = await import('../../backbones/store.ts');
  const record = await readStored(store, id);
  if (record === null && !asked) return;
  // Says how to get it where there is none.
  const { path } = await locateBackbone(id, { store });
  if (record === null) return;
  const { identifyWeights } = await import('../../backbones/store-intake.ts');
  const { statement } = await identifyWeights(path, entry);
  reporter.record({ id, ok: true, files: [path], checked: record.checked, statement });
  reporter.say(`${id}: as ${record.checked === 'pinned' ? 'registered' : 'recorded when it came in'}. ${statement}`);
}

/** A progress display of bytes with the time left. */
function byteProgress(reporter: Reporter): { from(bytes: number): void; update(done: number, total?: number): void } {
  let shown: Progress | undefined;
  let start = performance.now();
  let first = 0;
  const tenth = (bytes: number): number => Math.round(bytes / 1e5) / 10;
  return {
    from: (bytes) => {
      first = bytes;
      start = performance.now();
    },
    update: (done, total) => {
      if (total === undefined) return;
      shown ??= reporter.progress('weights', tenth(total), 'MB');
      const rate = (done - first) / Math.max(1, performance.now() - start);
      shown.update(tenth(done), rate > 0 ? (total - done) / rate : undefined);
    },
  };
}

async function storedOrProblem(store: string, id: string): Promise<StoredBackbone | string | null> {
  try {
    const record = await readStored(store, id);
    if (record !== null) await checkStored(store, record, false);
    return record;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function whereOf(stored: StoredBackbone | string): string {
  if (typeof stored === 'string') return 'damaged, see "backbone verify"';
  return stored.how === 'fetch' ? 'fetched' : 'imported';
}

function sayBackbone(reporter: Reporter, entry: BackboneEntry): void {
  reporter.say(`${entry.id}: ${entry.title}`);
  reporter.say(`input        ${String(entry.input.size)} x ${String(entry.input.size)} px, ${entry.input.filter}`);
  reporter.say(`parameters   ${(entry.parameters / 1e6).toFixed(2)} million`);
  reporter.say(`licence      ${entry.licence}`);
  reporter.say(`attribution  ${entry.attribution}`);
  reporter.say(`source       ${entry.source}`);
  for (const file of entry.files) {
    const size = file.bytes === undefined ? 'size not known' : `${(file.bytes / 1e6).toFixed(1)} MB`;
    reporter.say(`file         ${file.path}, ${size}, sha256 ${file.sha256 ?? 'not known: recorded when it comes in'}`);
    if ('url' in file && file.url !== undefined) reporter.say(`             ${file.url}`);
  }
}

function sayStored(reporter: Reporter, store: string, record: StoredBackbone): void {
  const { bytes, sha256, naming, checked, how, source, storedAt } = record;
  reporter.say(`stored       ${storedPath(store, record)}, ${(bytes / 1e6).toFixed(1)} MB`);
  reporter.say(
    `             sha256 ${sha256} (${checked === 'pinned' ? 'as expected' : 'not one that is known: compared with this one from now on'})`,
  );
  reporter.say(`             ${naming ?? 'unknown'} names; ${how} from ${source} on ${storedAt}`);
}

function parseSha256(text: string): string {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new InvalidArgumentError('64 hexadecimal digits are needed.');
  return text.toLowerCase();
}
