import type { Phrase } from '../explanation/types.ts';
import type { DriftAlarm, DriftCause, DriftStream } from './types.ts';

const what: Record<DriftCause, string> = {
  light: 'The light has changed',
  colour: 'The colour of the light or of the camera has changed',
  focus: 'The sharpness has changed',
  position: 'The parts lie differently',
  product: 'The parts look different from those calibrated on',
  camera: 'The camera was set differently',
};

const remedy: Record<DriftCause, string> = {
  light: 'Check lamp, exposure and daylight.',
  colour: 'Check white balance and lamp.',
  focus: 'Check focus, lens and vibration.',
  position: 'Check fixture and trigger.',
  product: 'Check whether it is the same product, material or lot; calibrate again if it is meant to be so.',
  camera: 'Set it back, or calibrate again.',
};

/** Size of the change in words; empty where the number means nothing to people. */
function amount(stream: DriftStream | undefined, change: number | null): string {
  if (stream === undefined || change === null) return '';
  const percent = (value: number): string => {
    const share = Math.round(100 * Math.expm1(value / 100));
    return `${share > 0 ? '+' : ''}${String(share)} %`;
  };
  switch (stream) {
    case 'brightness':
      return `brightness ${percent(change)}`;
    case 'contrast':
      return `contrast ${percent(change)}`;
    case 'redCast':
      return `red against green ${percent(change)}`;
    case 'blueCast':
      return `blue against green ${percent(change)}`;
    case 'sharpness':
      return change < 0 ? 'less fine detail' : 'more fine detail';
    case 'shiftX':
      return `${change > 0 ? 'right' : 'left'} by ${Math.abs(change).toFixed(1)} % of the picture`;
    case 'shiftY':
      return `${change > 0 ? 'down' : 'up'} by ${Math.abs(change).toFixed(1)} % of the picture`;
    case 'rotation':
      return `turned by ${change.toFixed(1)} degrees`;
    case 'likeness':
    case 'predScore':
    case 'classDistance':
      return '';
  }
}

/** The alarm in words. */
export function alarmPhrase(
  alarm: Omit<DriftAlarm, 'phrase'>,
  detail = amount(alarm.streams[0], alarm.change),
): Phrase {
  const { cause, sincePart, sinceAt } = alarm;
  const size = detail === '' ? '' : ` (${detail})`;
  const since = `since part ${String(sincePart)}${sinceAt === null ? '' : `, ${sinceAt}`}`;
  return {
    key: `drift.${cause}`,
    params: { detail, sincePart, sinceAt: sinceAt ?? '' },
    en: `${what[cause]}${size}, ${since}. The calibration no longer covers what is seen. ${remedy[cause]}`,
  };
}
