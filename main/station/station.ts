import type { StationEvent } from '../../shared/ipc/contract.ts';
import type { SecretBox } from '../audit/keys.ts';
import type { Caller, Handlers, HandlersOf } from '../ipc/handler.ts';
import type { ProcessHost } from '../processes/child.ts';
import { listProviders } from '../runtime/providers.ts';
import { openStore } from '../store/store.ts';
import type { Log } from '../system/log.ts';
import { AuditSeals } from './audit-seals.ts';
import type { StationContext } from './context.ts';
import { FeedService } from './feed.ts';
import { historyHandlers, partHandlers, recipeHandlers } from './history.ts';
import { labelHandlers } from './labels.ts';
import { pictureHandlers } from './pictures.ts';
import { projectHandlers } from './projects.ts';
import { reportHandlers } from './reports.ts';
import { ServedPictures, type ServedFile } from './served-pictures.ts';
import { readSettings, settingsHandlers } from './settings.ts';
import { systemHandlers } from './system.ts';
import { StationSession, userHandlers } from './users.ts';

/** What the station needs of the program it lives in; a window's shell has all of it, a test what it tries. */
export interface StationOptions {
  /** The station's own folder; made when it's not there. */
  folder: string;
  host: ProcessHost;
  version: string;
  /** Null outside Electron. */
  electron: string | null;
  log: Log;
  /** The system's secret store, where there is one. */
  secretBox: SecretBox | undefined;
  /** Tells all windows. */
  emit(event: StationEvent): void;
  print(html: string, footer: string): Promise<Uint8Array>;
  dialogs: HandlersOf<'dialog'>;
  /** See `FeedParts`. */
  openLivePort(projectId: string): unknown;
}

export interface Station {
  readonly handlers: Handlers;
  readonly pictures: {
    picture(projectId: string, sha256: string, sidePx: number | undefined): Promise<ServedFile | undefined>;
    heat(partId: number): Promise<ServedFile | undefined>;
  };
  /** Who is signed in; null while the screen is locked. */
  caller(): Caller | null;
  /** Whether a feed or a person setting one up needs the camera now. */
  wantsCamera(): boolean;
  /** Takes up work: what a crash left, the sample project. Called once the window shows something. */
  begin(): void;
  /** Ends the processes in good order, signs the log, closes the database. */
  close(): Promise<void>;
}

/**
 * Puts the station together: database, people, processes, and one handler per channel of the contract.
 * @throws UserError when the folder can't be used: open elsewhere, newer, not writable
 */
export async function createStation(options: StationOptions): Promise<Station> {
  const now = (): string => new Date().toISOString();
  const store = await openStore(options.folder, { now });
  const context: StationContext = { folder: options.folder, store, emit: options.emit, now };
  const { log } = options;
  const seals = await AuditSeals.open(store, options.secretBox, (error) => log.error(error, 'checkpoint failed'));
  const session = new StationSession(context);
  const feeds = new FeedService(context, { host: options.host, openLivePort: options.openLivePort });
  const served = new ServedPictures(store);

  const data = {
    ...projectHandlers(context),
    ...pictureHandlers(context),
    ...labelHandlers(context),
    ...historyHandlers(context),
    ...partHandlers(context),
    ...recipeHandlers(context),
    ...userHandlers(context, session),
    ...settingsHandlers(context),
    ...feeds.handlers,
    ...options.dialogs,
  };
  const handlers = {
    ...data,
    ...reportHandlers(context, {
      handlers: data as never,
      print: options.print,
      picture: async (projectId, sha256, sidePx) => (await served.picture(projectId, sha256, sidePx))?.bytes,
      heatMap: (partId) => served.heatOverlay(partId),
    }),
    ...systemHandlers(context, {
      version: options.version,
      electron: options.electron,
      settings: () => readSettings(context),
      engines: async () =>
        (await listProviders()).map(({ name, available, reason }) => ({ name, available, reason: reason ?? null })),
      inference: () => feeds.status(),
      training: () => ({ state: 'stopped', restarts: 0 }),
    }),
  } as unknown as Handlers;

  return {
    handlers,
    pictures: {
      picture: (projectId, sha256, sidePx) => served.picture(projectId, sha256, sidePx),
      heat: (partId) => served.heat(partId),
    },
    caller: () => session.caller(),
    wantsCamera: () => true,
    begin: () => {
      feeds.recover();
    },
    close: async () => {
      await feeds.close();
      await seals.close();
      store.close();
    },
  };
}
