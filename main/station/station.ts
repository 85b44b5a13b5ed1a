import type { StationEvent } from '../../shared/ipc/contract.ts';
import type { SecretBox } from '../audit/keys.ts';
import type { Caller, Handlers, HandlersOf } from '../ipc/handler.ts';
import type { ProcessHost } from '../processes/child.ts';
import { openStore } from '../store/store.ts';
import type { Log } from '../system/log.ts';
import { AuditSeals } from './audit-seals.ts';
import type { StationContext } from './context.ts';
import { FeedService } from './feed.ts';
import { historyHandlers, partHandlers, recipeHandlers } from './history.ts';
import { startHousekeeping } from './housekeeping.ts';
import { labelHandlers } from './labels.ts';
import { ModelService } from './models.ts';
import { StudyService } from './msa.ts';
import { pictureHandlers } from './pictures.ts';
import { projectHandlers } from './projects.ts';
import { reportHandlers } from './reports.ts';
import { makeSampleProject } from './sample-project.ts';
import { ServedPictures, type ServedFile } from './served-pictures.ts';
import { readSettings, settingsHandlers } from './settings.ts';
import { storageHandlers } from './storage.ts';
import { systemHandlers } from './system.ts';
import { thresholdHandlers } from './thresholds.ts';
import { TrainingService } from './training.ts';
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
  const isSecretOf = (caller: Caller, secret: string | null): Promise<boolean> => session.isSecretOf(caller, secret);
  const feeds = new FeedService(context, { host: options.host, openLivePort: options.openLivePort });
  const models = new ModelService(context, { feeds, isSecretOf });
  const studies = new StudyService(context, feeds);
  const training = new TrainingService(context, { host: options.host, models });
  const served = new ServedPictures(store);
  let cameraWanted = false;
  let stopHousekeeping = (): void => undefined;

  const pictures = pictureHandlers(context);
  const data = {
    ...projectHandlers(context),
    ...pictures,
    ...labelHandlers(context),
    ...historyHandlers(context),
    ...partHandlers(context),
    ...recipeHandlers(context),
    ...userHandlers(context, session),
    ...settingsHandlers(context, seals),
    ...storageHandlers(context),
    ...feeds.handlers,
    ...models.handlers,
    ...feeds.shadow.handlers,
    ...feeds.drift.handlers,
    ...feeds.explainHandlers,
    ...training.handlers,
    ...studies.handlers,
    ...thresholdHandlers(context, { feeds, isSecretOf }),
    ...options.dialogs,
  };
  const handlers: Handlers = {
    ...data,
    ...reportHandlers(context, {
      handlers: data,
      study: (studyId) => studies.results(studyId),
      print: options.print,
      picture: async (projectId, sha256, sidePx) => (await served.picture(projectId, sha256, sidePx))?.bytes,
      heatMap: (partId) => served.heatOverlay(partId),
    }),
    ...systemHandlers(context, {
      version: options.version,
      electron: options.electron,
      settings: () => readSettings(context),
      engines: () => training.engines(),
      inference: () => feeds.status(),
      training: () => training.status(),
      onCameraWanted: (wanted) => {
        cameraWanted = wanted;
      },
    }),
  };

  return {
    handlers,
    pictures: {
      picture: (projectId, sha256, sidePx) => served.picture(projectId, sha256, sidePx),
      heat: (partId) => served.heat(partId),
    },
    caller: () => session.caller(),
    wantsCamera: () => cameraWanted,
    begin: () => {
      const failed = (what: string) => (error: unknown) => log.error({ error: String(error) }, what);
      feeds.recover();
      feeds.shadow.recover();
      studies.recover();
      stopHousekeeping = startHousekeeping(context, failed('housekeeping failed'));
      training
        .recover()
        .catch(failed('recovering the training failed'))
        .then(() =>
          makeSampleProject(context, {
            importFolder: pictures['pictures.importFolder'],
            training,
            feeds,
            onFailure: failed('the sample project failed'),
          }),
        )
        .catch(failed('the sample project failed'));
    },
    close: async () => {
      stopHousekeeping();
      await Promise.all([training.close(), feeds.close()]);
      await seals.close();
      store.close();
    },
  };
}
