import type { LivePart } from '../../../../shared/ipc/live.ts';
import type { StationPart } from '../../../../shared/station/domain.ts';
import type { HeatMap } from '../../heat.ts';
import { heatUrl, pictureUrl } from '../../station-client.ts';

/** A part as the operator's screen shows it: live, or read back from the records. */
export interface ShownPart {
  part: StationPart;
  picture: string | Uint8Array | null;
  heat: HeatMap | string | null;
  shares: LivePart['shares'] | null;
  hottest: LivePart['hottest'];
}

export function shownLive({ part, jpeg, heat, shares, hottest }: LivePart): ShownPart {
  return { part, picture: jpeg ?? null, heat: heat ?? null, shares, hottest };
}

export function shownStored(part: StationPart): ShownPart {
  return {
    part,
    picture: part.pictureSha256 === null ? null : pictureUrl(part.projectId, part.pictureSha256, 960),
    heat: part.hasHeatMap ? heatUrl(part.id) : null,
    shares: part.shares,
    hottest: part.hottest,
  };
}

/** Address of the most similar good part's picture; null where there is none. */
export function similarOf(part: StationPart, sidePx = 320): string | null {
  return part.similarSha256 === null ? null : pictureUrl(part.projectId, part.similarSha256, sidePx);
}

const rows = ['upper', 'middle', 'lower'] as const;
const columns = ['Left', 'Centre', 'Right'] as const;

/** Message key of a place in the picture, e.g. `upperLeft`. @param at 0..1 of width and height */
export function placeOf(at: { x: number; y: number }): `${(typeof rows)[number]}${(typeof columns)[number]}` {
  const third = (value: number): number => Math.min(2, Math.max(0, Math.floor(value * 3)));
  return `${rows[third(at.y)]!}${columns[third(at.x)]!}`;
}
