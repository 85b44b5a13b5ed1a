import { app, session, type WebContents } from 'electron';
import { ownOrigin } from '../ipc/dispatch.ts';

/**
 * Denies whatever the station doesn't need, for every window there will ever be: permissions, other addresses, new
 * windows, downloads, embedded pages. Our own pages may fill the screen (kiosk), and see the camera.
 *
 * @param wantsCamera whether a feed that a person started, or a person who sets one up, needs the camera now
 */
export function lockDown(wantsCamera: () => boolean): void {
  const allowed = (permission: string, origin: string): boolean =>
    sameOrigin(origin) && (permission === 'fullscreen' || (permission === 'media' && wantsCamera()));
  const { defaultSession } = session;
  defaultSession.setPermissionRequestHandler((_contents, permission, answer, details) => {
    const onlyVideo = !('mediaTypes' in details) || !(details.mediaTypes ?? []).includes('audio');
    answer(onlyVideo && allowed(permission, details.requestingUrl));
  });
  defaultSession.setPermissionCheckHandler((_contents, permission, origin) => allowed(permission, origin));
  defaultSession.setDevicePermissionHandler(() => false);
  defaultSession.on('will-download', (event) => event.preventDefault());
  // The window's own scheme never gets here: everything that does would leave the station.
  defaultSession.webRequest.onBeforeRequest((details, answer) => {
    answer({ cancel: !/^(station|blob|data|devtools):/.test(details.url) });
  });
  app.on('web-contents-created', (_event, contents) => confine(contents));
}

function confine(contents: WebContents): void {
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  contents.on('will-navigate', (event) => event.preventDefault());
  contents.on('will-redirect', (event) => event.preventDefault());
  contents.on('will-attach-webview', (event) => event.preventDefault());
}

function sameOrigin(url: string): boolean {
  return url === ownOrigin || url.startsWith(`${ownOrigin}/`);
}
