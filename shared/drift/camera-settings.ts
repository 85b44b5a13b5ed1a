import { alarmPhrase } from './phrases.ts';
import type { CameraSettings, DriftAlarm } from './types.ts';

/** Settings that change what a picture looks like, with the mode that, when it is automatic, lets them wander. */
const watched: Readonly<Record<string, string | null>> = {
  width: null,
  height: null,
  exposureMode: null,
  exposureTime: 'exposureMode',
  exposureCompensation: null,
  iso: 'exposureMode',
  whiteBalanceMode: null,
  colorTemperature: 'whiteBalanceMode',
  focusMode: null,
  focusDistance: 'focusMode',
  brightness: null,
  contrast: null,
  saturation: null,
  sharpness: null,
  zoom: null,
  pan: null,
  tilt: null,
  torch: null,
};

/** Smaller differences are a device's own rounding. */
const sameWithin = 0.01;

/**
 * The settings worth comparing: what the picture depends on, without the values that the camera itself keeps changing
 * (the exposure time while exposure is automatic).
 * @param settings as the device tells them; what is no text, number or truth value is left out
 */
export function watchedSettings(settings: Readonly<Record<string, unknown>>): CameraSettings {
  const kept: CameraSettings = {};
  for (const [name, mode] of Object.entries(watched)) {
    const value = settings[name];
    const isPlain = typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
    if (!isPlain || (mode !== null && settings[mode] === 'continuous')) continue;
    kept[name] = value as string | number | boolean;
  }
  return kept;
}

export interface SettingChange {
  name: string;
  before: string | number | boolean;
  now: string | number | boolean;
}

/** Which settings are no longer as they were; those that only one of the two has are no change. */
export function changedSettings(before: Readonly<CameraSettings>, now: Readonly<CameraSettings>): SettingChange[] {
  return Object.entries(before).flatMap(([name, value]) => {
    const seen = now[name];
    if (!Object.hasOwn(now, name) || seen === undefined || isSame(value, seen)) return [];
    return [{ name, before: value, now: seen }];
  });
}

function isSame(a: string | number | boolean, b: string | number | boolean): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return a === b;
  return Math.abs(a - b) <= 1e-6 + sameWithin * Math.abs(a);
}

/** The alarm that changed settings are. @param part number of the part before which it was seen */
export function cameraAlarm(changes: readonly SettingChange[], part: number, at: string | undefined): DriftAlarm {
  const alarm: Omit<DriftAlarm, 'phrase'> = {
    cause: 'camera',
    streams: [],
    foundAtPart: Math.max(1, part),
    sincePart: Math.max(1, part),
    sinceAt: at ?? null,
    change: null,
  };
  const detail = changes.map(({ name, before, now }) => `${name} ${String(before)} -> ${String(now)}`).join(', ');
  return { ...alarm, phrase: alarmPhrase(alarm, detail) };
}
