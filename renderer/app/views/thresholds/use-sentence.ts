import { useI18n } from 'vue-i18n';
import { fillTemplate, type Sentence } from '../../../../shared/calibration/sentences.ts';

/** A sentence of the calibration in the language of the screen. */
export function useSentence(): (sentence: Sentence) => string {
  const { locale, te, tm } = useI18n();
  return (sentence) => {
    const key = `sentence.${sentence.key}`;
    // The templates' own format suffixes are no syntax of the catalogue's: the raw text is filled as in English.
    return locale.value !== 'en' && te(key) ? fillTemplate(String(tm(key)), sentence.params) : sentence.text;
  };
}
