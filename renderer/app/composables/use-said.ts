import { useI18n } from 'vue-i18n';
import type { Sentence } from '../../../shared/calibration/sentences.ts';
import { say, saySentence } from '../../../shared/phrases/say.ts';

/** What the station says (errors, reasons, statements), in the language of the screen; follows a change of it. */
export function useSaid() {
  const { locale } = useI18n();
  return {
    /** Of a text in the station's own English. */
    said: (text: string): string => say(text, locale.value),
    /** Of a sentence that comes with its key and numbers. */
    sentence: (one: Sentence): string => saySentence(one, locale.value),
  };
}
