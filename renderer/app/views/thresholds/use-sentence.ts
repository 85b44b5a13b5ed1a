import { useI18n } from 'vue-i18n';
import { sentenceTemplates, type Sentence } from '../../../../shared/calibration/sentences.ts';
import { sentenceNames, sentenceWords } from './sentence-words.ts';

type Params = Sentence['params'];

/** Three digits at most; a share near 0 or 1 never reads as 0 % or 100 %. */
function percentText(share: number, language: string): string {
  const digits = (value: number, most: number): string =>
    `${new Intl.NumberFormat(language, { maximumSignificantDigits: most }).format(value)} %`;
  if (share > 0 && share < 1e-6) return `< ${digits(0.0001, 1)}`;
  if (share < 1 && share > 1 - 1e-5) return `> ${digits(99.999, 5)}`;
  return digits(share * 100, share > 0.99 ? 5 : 3);
}

/** Fills the places of a template with numbers as the language writes them; a name that is missing stays visible. */
export function fillSentence(
  template: string,
  params: Params,
  language: string,
  names: Readonly<Record<string, string>> = {},
): string {
  return template.replace(/\{(\w+)(?::(\w+))?\}/g, (whole, name: string, format: string | undefined) => {
    const value = params[name];
    if (value === undefined) return whole;
    if (typeof value === 'string') return names[value] ?? value;
    if (format === 'percent') return percentText(value, language);
    const most = format === 'number' ? 4 : 15;
    return new Intl.NumberFormat(language, { maximumSignificantDigits: most }).format(value);
  });
}

/** A sentence of the calibration in the language of the screen; English where the language has none. */
export function useSentence(): (sentence: Sentence) => string {
  const { locale } = useI18n();
  return ({ key, params, text }) => {
    const language = locale.value;
    if (language === 'en') return fillSentence(sentenceTemplates[key], params, language);
    if (language !== 'de' && language !== 'ko' && language !== 'zh-CN') return text;
    const words: Readonly<Partial<Record<string, string>>> = sentenceWords[language];
    const template = words[key];
    return template === undefined ? text : fillSentence(template, params, language, sentenceNames[language]);
  };
}
