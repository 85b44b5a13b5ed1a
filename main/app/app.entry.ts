/** The station's window: wires Electron to the station core. Everything else runs in plain Node, too. */
import { app, dialog, MessageChannelMain } from 'electron';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventChannel, livePortChannel } from '../../shared/ipc/channel-names.ts';
import { Dispatcher } from '../ipc/dispatch.ts';
import { createStation, type Station } from '../station/station.ts';
import { openLog } from '../system/log.ts';
import { dialogHandlers } from './dialogs.ts';
import { ElectronHost } from './electron-processes.ts';
import { bridge } from './ipc-bridge.ts';
import { printPdf } from './print-pdf.ts';
import { ReportFonts } from './report-fonts.ts';
import { registerScheme, serve } from './protocol.ts';
import { lockDown } from './security.ts';

import { systemSecretBox } from './system-secret-box.ts';
import { StationWindow } from './window.ts';

const built = path.dirname(fileURLToPath(import.meta.url));

registerScheme();
if (app.requestSingleInstanceLock()) {
  // Not awaited at top level: Electron gets ready only after this module has ended.
  app.whenReady().then(start).catch(stop);
} else {
  app.quit();
}

async function start(): Promise<void> {
  const folder = path.join(app.getPath('userData'), 'station');
  const log = openLog(folder);
  process.on('uncaughtException', (error) => log.error(error, 'uncaught'));
  process.on('unhandledRejection', (reason) => log.error(reason, 'unhandled'));
  const windowFolder = path.resolve(built, '..', 'dist-renderer');
  const fonts = new ReportFonts(windowFolder);
  let station: Station | undefined;
  lockDown(() => station?.wantsCamera() ?? false);
  try {
    const window = new StationWindow(path.join(built, 'preload.cjs'));
    station = await createStation({
      folder,
      host: new ElectronHost(),
      version: app.getVersion(),
      electron: process.versions['electron'] ?? null,
      log,
      secretBox: systemSecretBox(),
      emit: (event) => window.send(eventChannel, event),
      print: (html, footer) => printPdf(html, footer, fonts),
      dialogs: dialogHandlers(() => window.browserWindow),
      openLivePort: () => {
        const { port1, port2 } = new MessageChannelMain();
        window.browserWindow.webContents.postMessage(livePortChannel, null, [port2]);
        return port1;
      },
    });
    const { handlers, caller, pictures } = station;
    const dispatcher = new Dispatcher({
      handlers,
      caller,
      onDefect: (channel, error) => log.error({ channel, error: String(error), stack: stackOf(error) }, 'call failed'),
    });
    serve(windowFolder, pictures, () => caller() !== null);
    bridge(dispatcher, () => window);
    app.on('second-instance', () => window.focus());
    await window.load();
    log.info({ startMs: sinceStart() }, 'window loaded');
    station.begin();
  } catch (error) {
    log.error({ error: String(error), stack: stackOf(error) }, 'start failed');
    dialog.showErrorBox('Twinspect could not start', error instanceof Error ? error.message : String(error));
    await station?.close();
    app.exit(1);
    return;
  }
  closeInOrder(station);
}

/** Parts on their way get their verdict before the program ends; after a while it ends all the same. */
function closeInOrder(station: Station): void {
  let closing = false;
  app.on('window-all-closed', () => app.quit());
  app.on('before-quit', (event) => {
    if (closing) return;
    closing = true;
    event.preventDefault();
    const late = new Promise((resolve) => setTimeout(resolve, 8000));
    void Promise.race([station.close(), late]).finally(() => app.exit(0));
  });
}

function stop(error: unknown): void {
  process.stderr.write(`${String(error)}\n`);
  app.exit(1);
}

/** Milliseconds since the launcher started us, where it said when. */
function sinceStart(): number | null {
  const startedAt = Number(process.env['TWINSPECT_STARTED_AT']);
  return Number.isFinite(startedAt) && startedAt > 0 ? Date.now() - startedAt : null;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
