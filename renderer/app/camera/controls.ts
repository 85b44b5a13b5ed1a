/** What of a camera can be set and held: read from what its track says of itself. Pure, so that it can be tested. */

/** Names as the Media Capture and Streams / Image Capture standards have them, in the order in which they are shown. */
const modes = ['exposureMode', 'focusMode', 'whiteBalanceMode'] as const;
const ranges = [
  'exposureTime',
  'exposureCompensation',
  'iso',
  'focusDistance',
  'colorTemperature',
  'brightness',
  'contrast',
  'saturation',
  'sharpness',
  'zoom',
] as const;
export type ControlName = (typeof modes)[number] | (typeof ranges)[number];

export type CameraControl =
  | { kind: 'mode'; name: ControlName; choices: string[]; value: string }
  | { kind: 'range'; name: ControlName; min: number; max: number; step: number; value: number };

/** The value that stops the camera from changing a setting by itself. */
const held = 'manual';

const isRange = (value: unknown): value is { min: number; max: number; step?: number } =>
  typeof value === 'object' &&
  value !== null &&
  'min' in value &&
  'max' in value &&
  typeof value.min === 'number' &&
  typeof value.max === 'number';

/**
 * The controls that a device has; those with nothing to choose are left out.
 * @param capabilities of the track
 * @param settings     of the track: where it stands
 */
export function controlsOf(
  capabilities: Readonly<Record<string, unknown>>,
  settings: Readonly<Record<string, unknown>>,
): CameraControl[] {
  const found: CameraControl[] = [];
  for (const name of modes) {
    const choices: unknown = capabilities[name];
    if (!Array.isArray(choices) || choices.length < 2) continue;
    const names = choices.map(String);
    const value = settings[name];
    found.push({ kind: 'mode', name, choices: names, value: typeof value === 'string' ? value : names[0]! });
  }
  for (const name of ranges) {
    const range = capabilities[name];
    if (!isRange(range) || !(range.max > range.min)) continue;
    const { min, max } = range;
    const step = range.step !== undefined && range.step > 0 ? range.step : (max - min) / 100;
    const value = settings[name];
    found.push({ kind: 'range', name, min, max, step, value: typeof value === 'number' ? value : min });
  }
  return found;
}

/**
 * Settings as constraints for `applyConstraints`: one set each, modes first. In one set with others, or where the device
 * has no such setting, a single one that can't be held would keep all others from being held.
 */
export function constraintsOf(
  settings: Readonly<Record<string, string | number | boolean>>,
  capabilities: Readonly<Record<string, unknown>>,
): { advanced: Record<string, string | number | boolean>[] } {
  const isMode = (name: string): boolean => (modes as readonly string[]).includes(name);
  const known = Object.entries(settings).filter(([name]) => Object.hasOwn(capabilities, name));
  known.sort(([a], [b]) => Number(isMode(b)) - Number(isMode(a)));
  return { advanced: known.map(([name, value]) => ({ [name]: value })) };
}

/** All controls as they stand, and nothing left to the camera itself: what a recipe holds fast. */
export function heldAsTheyAre(controls: readonly CameraControl[]): Record<string, string | number> {
  return Object.fromEntries(
    controls.map((one) => [one.name, one.kind === 'mode' && one.choices.includes(held) ? held : one.value]),
  );
}
