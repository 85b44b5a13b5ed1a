import { createI18n } from 'vue-i18n';
import type { Settings } from '../../../shared/ipc/settings.ts';

export type Language = Settings['language'];
export const languages: readonly Language[] = ['en', 'de', 'ko', 'zh-CN'];
/** Each language in its own words, for the language menu. */
export const languageNames: Readonly<Record<Language, string>> = {
  en: 'English',
  de: 'Deutsch',
  ko: '한국어',
  'zh-CN': '简体中文',
};

interface Catalogue {
  [key: string]: string | Catalogue;
}

/** `./de/inspect.json` becomes `messages.de.inspect`. All four ship in the bundle: nothing to wait for, nothing to fail. */
const messages = Object.fromEntries(languages.map((language) => [language, {} as Catalogue]));
for (const [path, catalogue] of Object.entries(
  import.meta.glob<Catalogue>('./*/*.json', { eager: true, import: 'default' }),
)) {
  const [, language, area] = /^\.\/([^/]+)\/([^/]+)\.json$/.exec(path) ?? [];
  if (language !== undefined && area !== undefined && language in messages) messages[language]![area] = catalogue;
}

/** Messages are interpreted, never compiled by eval: the content security policy forbids it. */
export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages,
  missingWarn: false,
  fallbackWarn: false,
});

export function setLanguage(language: Language): void {
  i18n.global.locale.value = language;
  document.documentElement.lang = language;
}
