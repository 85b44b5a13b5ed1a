import { createWriteStream } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { availableParallelism, freemem, platform, release, totalmem } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { ZipFile } from 'yazl';
import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import { writeError } from '../system/atomic-file.ts';
import type { StationContext } from './context.ts';

type Status = ChannelOutput<'system.status'>;

/** What the system's handlers ask of the rest. */
export interface SystemSources {
  version: string;
  /** Null outside Electron. */
  electron: string | null;
  /** The settings that hold. */
  settings(): unknown;
  engines(): Promise<Status['engines']>;
  inference(): Status['inference'];
  training(): Status['training'];
  onCameraWanted(wanted: boolean): void;
}

/** Failed parts whose pictures go into a diagnostics bundle when a person ticks it. */
const mostPictures = 20;
/** Finding out which engines there are takes a second or two. */
const longestEnginesMs = 15_000;

export function systemHandlers(context: StationContext, sources: SystemSources): HandlersOf<'system'> {
  const status = async (): Promise<Status> => ({
    version: sources.version,
    platform: `${platform()} ${release()} ${process.arch}`,
    electron: sources.electron,
    engines: await enginesInTime(sources),
    inference: sources.inference(),
    training: sources.training(),
    memoryMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    cores: availableParallelism(),
    notices: context.store.notices.list(),
  });

  return {
    'system.status': status,

    'system.useCamera': ({ wanted }) => {
      sources.onCameraWanted(wanted);
      return {};
    },

    'system.diagnostics': async ({ path: target, withPictures }, caller) => {
      const zip = new ZipFile();
      const add = (name: string, value: unknown): void =>
        zip.addBuffer(Buffer.from(`${JSON.stringify(value, null, 2)}\n`), name);
      add('status.json', {
        ...(await status()),
        memory: { totalMb: Math.round(totalmem() / 2 ** 20), freeMb: Math.round(freemem() / 2 ** 20) },
      });
      add('settings.json', sources.settings());
      add('projects.json', projectFacts(context));
      for (const file of await logFiles(context.folder))
        zip.addBuffer(await readFile(file), `logs/${path.basename(file)}`);
      if (withPictures) await addPictures(context, zip);
      zip.end();
      const partial = `${target}.partial`;
      try {
        await pipeline(zip.outputStream, createWriteStream(partial));
        await rename(partial, target);
      } catch (error) {
        await rm(partial, { force: true });
        throw writeError(target, error);
      }
      context.store.events.add({
        at: context.now(),
        actor: caller.name,
        role: caller.role,
        action: 'data.exported',
        subject: target,
        details: { what: 'diagnostics', withPictures },
      });
      return { path: target, bytes: (await stat(target)).size };
    },
  };
}

/** The process that knows them may be the very thing that fails: then there are none to tell of. */
async function enginesInTime({ engines }: SystemSources): Promise<Status['engines']> {
  const late = new AbortController();
  const none = pause(longestEnginesMs, [], { signal: late.signal, ref: false }).catch(() => []);
  try {
    return await Promise.race([engines(), none]);
  } catch {
    return [];
  } finally {
    late.abort();
  }
}

/** What helps to find a fault, without anybody's pictures, names or labels. */
function projectFacts({ store }: StationContext): unknown {
  return store.projects.list().map((project) => ({
    id: project.id,
    sample: project.sample,
    classes: store.projects
      .classes(project.id)
      .map(({ normalPictures, goldenPictures }) => ({ normalPictures, goldenPictures })),
    models: store.models.list(project.id).map(({ version, state, preset, modelHash, engine, thresholds, parity }) => ({
      version,
      state,
      preset,
      modelHash,
      engine,
      thresholds,
      parity,
    })),
    counters: store.parts.counters(project.id),
  }));
}

async function logFiles(folder: string): Promise<string[]> {
  const logs = path.join(folder, 'logs');
  const names = await readdir(logs).catch(() => []);
  return names.filter((name) => name.includes('station.log')).map((name) => path.join(logs, name));
}

async function addPictures({ store }: StationContext, zip: ZipFile): Promise<void> {
  for (const project of store.projects.list()) {
    const filter = {
      projectId: project.id,
      from: null,
      to: null,
      className: null,
      lot: null,
      serial: null,
      station: null,
      verdict: 'fail' as const,
      person: 'any' as const,
    };
    for (const part of store.history.page(filter, null, mostPictures).parts) {
      const file = part.pictureSha256 === null ? null : store.pictures.path(part.pictureSha256);
      if (file !== null) zip.addBuffer(await readFile(file), `pictures/${path.basename(file)}`);
    }
  }
}
