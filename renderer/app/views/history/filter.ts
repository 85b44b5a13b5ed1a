import type { HistoryFilter } from '../../../../shared/ipc/history.ts';

/** The filter as a person fills it in: empty texts and "any" mean no limit. */
export interface WantedParts {
  /** `YYYY-MM-DD`, local time. */
  from: string;
  to: string;
  className: string;
  lot: string;
  serial: string;
  station: string;
  verdict: 'any' | NonNullable<HistoryFilter['verdict']>;
  person: HistoryFilter['person'];
  bucket: 'hour' | 'day' | 'week';
}

export function emptyFilter(): WantedParts {
  return {
    from: '',
    to: '',
    className: '',
    lot: '',
    serial: '',
    station: '',
    verdict: 'any',
    person: 'any',
    bucket: 'day',
  };
}

/** Whether anything is left out; the bucket of the chart leaves nothing out. */
export function isNarrowed(wanted: WantedParts): boolean {
  const { bucket } = wanted;
  return JSON.stringify(wanted) !== JSON.stringify({ ...emptyFilter(), bucket });
}

/** `to` includes its whole day. */
export function toFilter(wanted: WantedParts, projectId: string): HistoryFilter {
  const text = (value: string): string | null => (value.trim() === '' ? null : value.trim());
  return {
    projectId,
    from: dayStart(wanted.from, 0),
    to: dayStart(wanted.to, 1),
    className: text(wanted.className),
    lot: text(wanted.lot),
    serial: text(wanted.serial),
    station: text(wanted.station),
    verdict: wanted.verdict === 'any' ? null : wanted.verdict,
    person: wanted.person,
  };
}

function dayStart(day: string, plusDays: number): string | null {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  if (parts === null) return null;
  return new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) + plusDays).toISOString();
}
