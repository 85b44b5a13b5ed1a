/** Languages that the station's own sentences are put into; English is what they are written in. */
export const phraseLanguages = ['de', 'ko', 'zh-CN'] as const;
export type PhraseLanguage = (typeof phraseLanguages)[number];

/**
 * One sentence of the program in all languages, English first: that is the key, as in gettext. Places are `{name}`; in
 * English a place may say what stands in it: `:count`, `:number` (four digits), `:percent` (a share as percent), `:phrase` (another phrase).
 */
export type Phrase = readonly [en: string, de: string, ko: string, zhCn: string];
