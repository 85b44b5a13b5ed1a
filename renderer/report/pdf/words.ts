import type { ReportWords } from './report-words.ts';
import { de } from './words/de.ts';
import { en } from './words/en.ts';
import { ko } from './words/ko.ts';
import { zhCN } from './words/zh-CN.ts';

/** @param language as in the settings */
export function reportWords(language: 'en' | 'de' | 'ko' | 'zh-CN'): ReportWords {
  return { en, de, ko, 'zh-CN': zhCN }[language];
}
