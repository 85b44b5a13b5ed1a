import { alarmPhrase } from '../../shared/drift/phrases.ts';
import type { DriftAlarm } from '../../shared/drift/types.ts';
import type { DriftEnd } from '../../shared/ipc/drift.ts';
import type { Recipe } from '../../shared/station/domain.ts';
import type { AlarmBody } from '../store/drift.ts';

/** Why an alarm ended, as the history says it. */
export const becauseWords: Record<DriftEnd, string> = {
  acknowledged: 'Acknowledged.',
  newModel: 'Another model judges: what was said of the one before no longer holds.',
  newRecipe: 'The recipe looks at something else: what was said before no longer holds.',
  newBaseline: 'What is ordinary was measured anew.',
};

/** An alarm as it's kept, its time as the clock on the wall says it. */
export function bodyOf(alarm: DriftAlarm): AlarmBody {
  const { cause, streams, sinceAt, change, phrase } = alarm;
  const detail = cause === 'camera' ? String(phrase.params['detail'] ?? '') : '';
  const shown = { ...alarm, sinceAt: sinceAt === null ? null : timeOf(sinceAt) };
  const { en: message } = detail === '' ? alarmPhrase(shown) : alarmPhrase(shown, detail);
  return { cause, streams: [...streams], sinceAt, change, detail, message };
}

/** What of a recipe a part's picture depends on. */
export function lookOf({ source, region, ignore }: Recipe): string {
  return JSON.stringify({ source, region, ignore });
}

/** Its notice on the screens. */
export function noticeId(projectId: string): string {
  return `drift-${projectId}`;
}

/** The station's own time, as the clock on the wall says it. */
function timeOf(at: string): string {
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  const clock = `${String(time.getHours()).padStart(2, '0')}:${String(time.getMinutes()).padStart(2, '0')}`;
  return isToday ? clock : `${at.slice(0, 10)} ${clock}`;
}
