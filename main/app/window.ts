import { BrowserWindow, nativeTheme, screen } from 'electron';
import path from 'node:path';
import { ownOrigin, type Sender } from '../ipc/dispatch.ts';
import { keepReadable } from './window-zoom.ts';

/** The station's window, and which frames belong to it. */
export class StationWindow {
  readonly #window: BrowserWindow;

  /** @param preload path of the built preload */
  constructor(preload: string) {
    const { width, height } = screen.getPrimaryDisplay().workAreaSize;
    this.#window = new BrowserWindow({
      width: Math.min(1920, width),
      height: Math.min(1080, height),
      minWidth: 1024,
      minHeight: 640,
      show: false,
      title: 'Twinspect',
      backgroundColor: nativeTheme.shouldUseDarkColors ? '#12161c' : '#f4f6f9',
      autoHideMenuBar: true,
      webPreferences: {
        preload: path.resolve(preload),
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        webSecurity: true,
        spellcheck: false,
        // Parts go on coming while the window is behind another one.
        backgroundThrottling: false,
      },
    });
    this.#window.removeMenu();
    keepReadable(this.#window);
    this.#window.once('ready-to-show', () => this.#window.show());
  }

  get browserWindow(): BrowserWindow {
    return this.#window;
  }

  async load(): Promise<void> {
    await this.#window.loadURL(`${ownOrigin}/index.html`);
  }

  send(channel: string, message: unknown): void {
    if (!this.#window.isDestroyed()) this.#window.webContents.send(channel, message);
  }

  focus(): void {
    if (this.#window.isMinimized()) this.#window.restore();
    this.#window.focus();
  }

  /** What the dispatcher checks of a call: that it comes from this window's top frame, and from our own pages. */
  senderOf(event: Electron.IpcMainInvokeEvent): Sender {
    const frame = event.senderFrame;
    if (frame === null) return { origin: 'a frame that is gone', ownWindow: false };
    const ownWindow = event.sender === this.#window.webContents && frame === this.#window.webContents.mainFrame;
    return { origin: originOf(frame.url), ownWindow };
  }
}

/** `URL.origin` says "null" for schemes it doesn't know. */
function originOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'no address' : `${parsed.protocol}//${parsed.host}`;
}
