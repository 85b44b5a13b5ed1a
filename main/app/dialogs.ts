import { dialog, shell, type BrowserWindow } from 'electron';
import { existsSync } from 'node:fs';
import { UserError } from '../../shared/errors.ts';
import type { HandlersOf } from '../ipc/handler.ts';

const filters = {
  pictures: [{ name: 'Pictures', extensions: ['png', 'jpg', 'jpeg', 'bmp', 'webp', 'tif', 'tiff'] }],
  model: [{ name: 'Model package', extensions: ['twin'] }],
  project: [{ name: 'Project archive', extensions: ['twinproject', 'zip'] }],
};

/** The system's own dialogs. */
export function dialogHandlers(window: () => BrowserWindow): HandlersOf<'dialog'> {
  return {
    'dialog.chooseFolder': async ({ title }) => {
      const chosen = await dialog.showOpenDialog(window(), { title, properties: ['openDirectory', 'createDirectory'] });
      return { path: chosen.filePaths[0] ?? null };
    },
    'dialog.chooseFiles': async ({ title, kind }) => {
      const many = kind === 'pictures' ? (['multiSelections'] as const) : [];
      const chosen = await dialog.showOpenDialog(window(), {
        title,
        properties: ['openFile', ...many],
        filters: filters[kind],
      });
      return { paths: chosen.filePaths };
    },
    'dialog.chooseSave': async ({ title, suggested }) => {
      const chosen = await dialog.showSaveDialog(window(), { title, defaultPath: suggested });
      return { path: chosen.canceled ? null : chosen.filePath };
    },
    'dialog.show': ({ path }) => {
      if (!existsSync(path)) throw new UserError('fileGone', `"${path}" is not there any more.`);
      shell.showItemInFolder(path);
      return {};
    },
  };
}
