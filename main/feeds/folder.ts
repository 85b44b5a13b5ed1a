import { basename, dirname, resolve } from 'node:path';
import { compileNamePattern } from '../../shared/station/name-pattern.ts';
import type { FeedSource } from '../../shared/station/domain.ts';
import { watchFolder } from '../inspection/folder-feed.ts';
import type { FedPart, FeedOptions } from './feed.ts';

/** A file counts as complete when size and time stay the same for this long. */
const settleMs = 400;
const scanIntervalMs = 1000;
const emptyPatienceMs = 5000;

type FolderSource = Extract<FeedSource, { kind: 'folder' }>;

/** Where judged files go when originals are moved: beside the watched folder, which they must leave. */
export function judgedFolder(folder: string): string {
  const path = resolve(folder);
  return resolve(dirname(path), `${basename(path)}-judged`);
}

/** Presents every picture file that comes into a folder, once it's complete, with what its name and place say. */
export async function* folderFeed(source: FolderSource, options: FeedOptions): AsyncGenerator<FedPart> {
  const read = compileNamePattern(source.namePattern);
  let lost = false;
  const files = watchFolder({
    folder: resolve(source.path),
    resultsDir: options.outputFolder ?? judgedFolder(source.path),
    states: options.knownFiles,
    settleMs,
    scanIntervalMs,
    emptyPatienceMs,
    signal: options.signal,
    onState: (state) => {
      if (state.type === 'idle') options.onNews({ type: 'idle' });
      else if (state.type === 'folderBack') {
        lost = false;
        options.onNews({ type: 'back' });
      } else if (!lost) {
        lost = true;
        const message = `The folder "${source.path}" can't be read: pictures that should come are not judged (${state.reason}).`;
        options.onNews({ type: 'lost', message, remedy: 'Connect the drive again, or choose another folder.' });
      }
    },
  });
  for await (const file of files) {
    const names = read(basename(file.relative));
    const [subFolder] = file.relative.includes('/') ? file.relative.split('/') : [];
    yield {
      file: file.path,
      path: file.path,
      found: { relative: file.relative, size: file.size, mtimeMs: file.mtimeMs },
      serial: names?.serial ?? null,
      lot: names?.lot ?? (source.subFolder === 'lot' ? subFolder : undefined) ?? options.lot(),
      className: names?.className ?? (source.subFolder === 'class' ? subFolder : undefined) ?? null,
    };
  }
}
