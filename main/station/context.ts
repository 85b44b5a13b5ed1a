import type { StationEvent } from '../../shared/ipc/contract.ts';
import type { Store } from '../store/store.ts';

/** What every service of the station stands on. */
export interface StationContext {
  /** The station's own folder: database, pictures, models, backups, cache. */
  readonly folder: string;
  readonly store: Store;
  /** Tells all windows. */
  emit(event: StationEvent): void;
  /** Now, ISO 8601 UTC; tests set their own clock. */
  now(): string;
}
