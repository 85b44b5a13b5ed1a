import type { FeedSource } from '../../shared/station/domain.ts';
import { CameraFeed } from './camera.ts';
import type { FedPart, FeedOptions } from './feed.ts';
import { folderFeed } from './folder.ts';
import { httpFeed } from './http.ts';
import { replayFeed } from './replay.ts';

export interface OpenFeed {
  parts: AsyncIterable<FedPart>;
  /** Takes the frames that the window sends; undefined: the feed has no camera. */
  camera: CameraFeed | undefined;
}

/** Opens the feed that a recipe names. A new kind of feed is one more case here and one more form of `FeedSource`. */
export function openFeed(source: FeedSource, options: FeedOptions): OpenFeed {
  switch (source.kind) {
    case 'folder':
      return { parts: folderFeed(source, options), camera: undefined };
    case 'replay':
      return { parts: replayFeed(source, options), camera: undefined };
    case 'http':
      return { parts: httpFeed(source, options), camera: undefined };
    case 'camera': {
      const camera = new CameraFeed(source, options);
      return { parts: camera, camera };
    }
  }
}
