import type { ChannelInput } from '../../../../shared/ipc/contract.ts';
import type { FeedSource } from '../../../../shared/station/domain.ts';

export type EditedRecipe = ChannelInput<'recipes.save'>;

/** A source of each kind with what most lines would set. */
export function newSource(kind: FeedSource['kind']): FeedSource {
  switch (kind) {
    case 'folder':
      return { kind, path: '', originals: 'keep', subFolder: 'none', namePattern: '' };
    case 'camera':
      return {
        kind,
        deviceLabel: '',
        widthPx: 1280,
        heightPx: 720,
        frameRate: 30,
        trigger: 'key',
        timerMs: 1000,
        locked: {},
      };
    case 'http':
      return { kind, url: 'http://', intervalMs: 1000 };
    case 'replay':
      return { kind, path: '', intervalMs: 1000 };
  }
}

export function newRecipe(projectId: string, name: string): EditedRecipe {
  return {
    id: null,
    projectId,
    name,
    source: newSource('folder'),
    region: null,
    ignore: [],
    outputFolder: null,
    cycleTimeMs: null,
    lot: '',
  };
}
