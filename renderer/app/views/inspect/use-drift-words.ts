import { useI18n } from 'vue-i18n';
import type { DriftAlarmRow } from '../../../../shared/ipc/drift.ts';
import { useFormat } from '../../composables/use-format.ts';

type Alarm = Pick<DriftAlarmRow, 'cause' | 'streams' | 'change' | 'detail'>;

/** An alarm of the drift guard in the language of the screen. */
export function useDriftWords() {
  const { t } = useI18n();
  const { number } = useFormat();

  /** Size of the change; empty where a number means nothing to people. */
  function size({ streams, change, detail }: Alarm): string {
    if (detail !== '') return detail;
    const [stream] = streams;
    if (stream === undefined || change === null) return '';
    switch (stream) {
      case 'brightness':
      case 'contrast':
      case 'redCast':
      case 'blueCast': {
        const share = Math.round(100 * Math.expm1(change / 100));
        return t(`drift.size.${stream}`, { value: `${share > 0 ? '+' : ''}${number(share, 0)} %` });
      }
      case 'sharpness':
        return t(change < 0 ? 'drift.size.blurred' : 'drift.size.sharper');
      case 'shiftX':
        return t(change > 0 ? 'drift.size.right' : 'drift.size.left', { value: number(Math.abs(change)) });
      case 'shiftY':
        return t(change > 0 ? 'drift.size.down' : 'drift.size.up', { value: number(Math.abs(change)) });
      case 'rotation':
        return t('drift.size.turned', { value: number(change) });
      default:
        return t(`drift.stream.${stream}`);
    }
  }

  /** What has changed, and by how much. */
  function what(alarm: Alarm): string {
    const by = size(alarm);
    const cause = t(`drift.cause.${alarm.cause}`);
    return by === '' ? cause : `${cause}: ${by}`;
  }

  return { what, size };
}
