import type { StationError } from '../../shared/ipc/channel.ts';
import type { ChannelInput, ChannelName, ChannelOutput } from '../../shared/ipc/contract.ts';
import { toRaw } from 'vue';
import { say } from '../../shared/phrases/say.ts';
import { i18n } from './i18n/index.ts';
import type { StationCalls } from './station-api.ts';
import { useToasts } from './stores/toasts.ts';

/** The station said no: `message` and `remedy` are written for the person at the screen. */
export class StationCallError extends Error {
  readonly code: string;
  readonly remedy: string | undefined;

  constructor({ code, message, remedy }: StationError) {
    // The station's English ends with the remedy; on the screen it stands on its own.
    const language = i18n.global.locale.value;
    const what = remedy !== undefined && message.endsWith(remedy) ? message.slice(0, -remedy.length).trim() : message;
    super(say(what, language));
    this.name = 'StationCallError';
    this.code = code;
    this.remedy = remedy === undefined ? undefined : say(remedy, language);
  }
}

/** A copy without Vue's proxies, which can't cross into the preload. */
function plain<T>(value: T): T {
  const raw: unknown = toRaw(value);
  if (raw === null || typeof raw !== 'object' || raw instanceof Uint8Array) return raw as T;
  if (Array.isArray(raw)) return raw.map(plain) as T;
  return Object.fromEntries(Object.entries(raw).map(([key, inner]) => [key, plain(inner)])) as T;
}

/** Asks the station. @throws StationCallError with the station's own words when it refuses or fails */
export async function call<N extends ChannelName>(name: N, input: ChannelInput<N>): Promise<ChannelOutput<N>> {
  const calls: StationCalls = window.station;
  const result = await calls[name](plain(input));
  if (!result.ok) throw new StationCallError(result.error);
  return result.value;
}

/**
 * As {@link call}, but an error becomes a toast with its remedy; what a person cancelled needs no words.
 * @returns null when it failed
 */
export async function attempt<N extends ChannelName>(
  name: N,
  input: ChannelInput<N>,
): Promise<ChannelOutput<N> | null> {
  try {
    return await call(name, input);
  } catch (error) {
    if (!(error instanceof StationCallError && error.code === 'cancelled')) useToasts().showError(error);
    return null;
  }
}

const root = import.meta.env.VITE_PICTURE_ROOT ?? 'station://';

/** Address of a stored picture, scaled so that its longest side is `sidePx`; without it the original. */
export function pictureUrl(projectId: string, sha256: string, sidePx?: number): string {
  return `${root}picture/${projectId}/${sha256}${sidePx === undefined ? '' : `?side=${sidePx}`}`;
}

/** Address of a part's stored heat map: a grey 8-bit PNG, 0 below the review level, 255 at the fail level. */
export function heatUrl(partId: number): string {
  return `${root}heat/${partId}`;
}
