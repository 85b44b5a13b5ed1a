import { computed } from 'vue';
import { useI18n } from 'vue-i18n';
import { clopperPearson } from '../../../shared/calibration/binomial.ts';

/** Numbers, dates and durations in the language of the screen. Counts carry their denominator, rates their interval. */
export function useFormat() {
  const { t, locale } = useI18n();
  const whole = computed(() => new Intl.NumberFormat(locale.value, { maximumFractionDigits: 0 }));
  const tenth = computed(
    () => new Intl.NumberFormat(locale.value, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  );
  const moment = computed(() => new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'medium' }));
  const clock = computed(() => new Intl.DateTimeFormat(locale.value, { timeStyle: 'medium' }));
  const day = computed(() => new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium' }));

  const count = (value: number): string => whole.value.format(value);
  const number = (value: number, digits = 1): string =>
    new Intl.NumberFormat(locale.value, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  /** `share` 0..1. */
  const percent = (share: number, digits = 1): string =>
    `${new Intl.NumberFormat(locale.value, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share * 100)} %`;

  /** "3 of 412 (0.7 %)"; with `interval` also "95 %: 0.2–2.1 %" (exact, two-sided). */
  function rate(some: number, all: number, interval = true): string {
    const of = t('common.of', { some: count(some), all: count(all) });
    if (all === 0) return of;
    if (!interval) return `${of} (${percent(some / all)})`;
    const { low, high } = clopperPearson(some, all, 0.95);
    return `${of} (${percent(some / all)}; 95 %: ${tenth.value.format(low * 100)}–${percent(high)})`;
  }

  /** "850 ms", "12 s", "4 min", "2 h 5 min". */
  function duration(ms: number): string {
    if (ms < 1_000) return `${count(ms)} ms`;
    const seconds = Math.round(ms / 1_000);
    if (seconds < 60) return `${count(seconds)} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${count(minutes)} min`;
    return minutes % 60 === 0 ? `${count(minutes / 60)} h` : `${count(Math.floor(minutes / 60))} h ${minutes % 60} min`;
  }

  const dateTime = (iso: string): string => moment.value.format(new Date(iso));
  const time = (iso: string): string => clock.value.format(new Date(iso));
  const date = (iso: string): string => day.value.format(new Date(iso));

  function bytes(value: number): string {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let step = 0;
    let rest = value;
    while (rest >= 1000 && step < units.length - 1) {
      rest /= 1000;
      step++;
    }
    return `${number(rest, step < 2 || rest >= 100 ? 0 : 1)} ${units[step]!}`;
  }

  return { count, number, percent, rate, duration, dateTime, time, date, bytes };
}
