/**
 * Puts what the program says into the language of the person who reads it. Sentences of the calibration come with their
 * key and raw numbers; everything else (errors, reasons, the training's log) is recognised by its English wording, which
 * a test holds against the sources, so that old records and other processes' errors are understood as well.
 */
import { roundedParts, sentenceTemplates, type Sentence } from '../calibration/sentences.ts';
import { driftPhrases, feedPhrases } from './feeds.ts';
import { filePhrases } from './files.ts';
import { folderPhrases } from './folders.ts';
import { peoplePhrases } from './people.ts';
import { phraseLanguages, type Phrase, type PhraseLanguage } from './phrase.ts';
import { recordPhrases } from './records.ts';
import { sentenceNames } from './sentence-names.ts';
import { deSentences } from './sentences-de.ts';
import { koSentences } from './sentences-ko.ts';
import { zhCnSentences } from './sentences-zh-cn.ts';
import { studyPhrases } from './studies.ts';
import { thresholdPhrases } from './thresholds.ts';
import { trainingPhrases } from './training.ts';

export const allPhrases: readonly Phrase[] = [
  ...peoplePhrases,
  ...recordPhrases,
  ...trainingPhrases,
  ...feedPhrases,
  ...driftPhrases,
  ...filePhrases,
  ...folderPhrases,
  ...studyPhrases,
  ...thresholdPhrases,
];
export const sentenceWords = { de: deSentences, ko: koSentences, 'zh-CN': zhCnSentences } as const;

type Params = Sentence['params'];

/** How deep phrases may stand in phrases. */
const deepest = 4;
const mostRemembered = 2000;

/** A template's English wording as a pattern. */
interface Form {
  pattern: RegExp;
  places: { name: string; format: string | undefined }[];
  words: Readonly<Record<PhraseLanguage, string>>;
  /** Letters that are fixed: the more, the surer. */
  fixed: number;
}

const placeSyntax = /\{(\w+)(?::(\w+))?\}/g;
const syntaxOf: Readonly<Record<string, string>> = {
  count: '(\\d+)',
  number: '(-?\\d[\\d.e+-]*|-?Infinity|NaN)',
  parts: '(-?\\d[\\d.e+-]*|-?Infinity|NaN)',
  percent: '((?:less than |more than )?\\d[\\d.e+-]* %)',
};

function formOf(english: string, words: Form['words']): Form {
  const places: Form['places'] = [];
  let pattern = '';
  let at = 0;
  for (const match of english.matchAll(placeSyntax)) {
    pattern += escaped(english.slice(at, match.index));
    const [whole, name, format] = match;
    places.push({ name: name!, format });
    pattern += syntaxOf[format ?? ''] ?? '(.+?)';
    at = match.index + whole.length;
  }
  pattern += escaped(english.slice(at));
  return {
    pattern: new RegExp(`^${pattern}$`, 's'),
    places,
    words,
    fixed: english.replace(placeSyntax, '').length,
  };
}

function escaped(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
}

let forms: readonly Form[] | undefined;

/** The surest first. Made when first asked for: the command line never does. */
function allForms(): readonly Form[] {
  forms ??= [
    ...allPhrases.map(([en, de, ko, zhCn]) => formOf(en, { de, ko, 'zh-CN': zhCn })),
    ...Object.entries(sentenceTemplates).map(([key, english]) => {
      const of = (language: PhraseLanguage): string => sentenceWords[language][key as keyof typeof sentenceTemplates];
      return formOf(english, { de: of('de'), ko: of('ko'), 'zh-CN': of('zh-CN') });
    }),
  ].sort((a, b) => b.fixed - a.fixed);
  return forms;
}

function isPhraseLanguage(language: string): language is PhraseLanguage {
  return (phraseLanguages as readonly string[]).includes(language);
}

const remembered = new Map<string, string>();

/** What the program said in English, in another language; as it is where it's not known. May hold several sentences. */
export function say(text: string, language: string): string {
  if (!isPhraseLanguage(language) || text === '') return text;
  const key = `${language} ${text}`;
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const said = translated(text, language, 0)?.text ?? text;
  if (remembered.size >= mostRemembered) remembered.clear();
  remembered.set(key, said);
  return said;
}

/** A sentence of the calibration in a language; English where the language has none. */
export function saySentence({ key, params, text }: Sentence, language: string): string {
  if (language === 'en') return fillSentence(sentenceTemplates[key], params, 'en');
  return isPhraseLanguage(language) ? fillSentence(sentenceWords[language][key], params, language) : text;
}

/** Fills the places of a template with numbers as the language writes them; a name that is missing stays visible. */
export function fillSentence(template: string, params: Params, language: string): string {
  const names: Readonly<Record<string, string>> = isPhraseLanguage(language) ? sentenceNames[language] : {};
  return template.replace(placeSyntax, (whole, name: string, format: string | undefined) => {
    const value = params[name];
    if (value === undefined) return whole;
    // A class may be called like one of our own words.
    if (typeof value === 'string') {
      if (name === 'className' && value !== 'all classes') return value;
      return names[value] ?? (name === 'why' ? say(value, language) : value);
    }
    if (format === 'percent') return percentText(value, language);
    if (format === 'parts') return numberText(roundedParts(value), language, 15);
    return numberText(value, language, format === 'number' ? 4 : 15);
  });
}

/** A text in another language. */
interface Translation {
  text: string;
  /** Whether every sentence of it was known. */
  isWhole: boolean;
}

/** @returns undefined where nothing of the text is known */
function translated(text: string, language: PhraseLanguage, depth: number): Translation | undefined {
  const one = phraseOf(text, language, depth, false);
  if (one !== undefined) return { text: one, isWhole: true };
  if (depth > deepest) return undefined;
  const ends = [...text.matchAll(/[.!?:)](?=\s)|\n/g)].map(({ index }) => index + 1).reverse();
  for (const end of ends) {
    const head = phraseOf(text.slice(0, end).trim(), language, depth, false);
    if (head === undefined) continue;
    const rest = text.slice(end).trim();
    const after = translated(rest, language, depth + 1);
    return { text: joined(head, after?.text ?? rest, language), isWhole: after?.isWhole ?? false };
  }
  const loose = phraseOf(text, language, depth, true);
  if (loose !== undefined) return { text: loose, isWhole: false };
  // The first sentence is somebody else's; what follows may be ours.
  const first = ends.at(-1);
  if (first === undefined) return undefined;
  const after = translated(text.slice(first).trim(), language, depth + 1);
  if (after === undefined) return undefined;
  return { text: joined(text.slice(0, first).trim(), after.text, language), isWhole: false };
}

function joined(head: string, rest: string, language: PhraseLanguage): string {
  return rest === '' ? head : `${head}${language === 'zh-CN' && head.endsWith('。') ? '' : ' '}${rest}`;
}

/** @param loose whether several unknown sentences may stand in one place */
function phraseOf(text: string, language: PhraseLanguage, depth: number, loose: boolean): string | undefined {
  for (const { pattern, places, words } of allForms()) {
    const found = pattern.exec(text);
    if (found === null) continue;
    const filled = new Map<string, string>();
    const fits = places.every(({ name, format }, i) => {
      const given = found[i + 1]!;
      const inside = placed(given, format, language, depth);
      filled.set(name, inside?.text ?? given);
      if (inside?.isWhole === true) return true;
      return format !== 'phrase' && (loose || !/[.!?]\s/.test(given));
    });
    if (fits) return words[language].replace(placeSyntax, (whole, name: string) => filled.get(name) ?? whole);
  }
  return undefined;
}

function placed(
  given: string,
  format: string | undefined,
  language: PhraseLanguage,
  depth: number,
): Translation | undefined {
  if (format === 'percent') {
    const share = Number(given.replace(/^(less|more) than /, '').replace(' %', '')) / 100;
    return { text: percentText(given.startsWith('less') ? 1e-9 : share, language), isWhole: true };
  }
  if (format === 'count') return { text: numberText(Number(given), language, 15), isWhole: true };
  if (format === 'parts') return { text: numberText(roundedParts(Number(given)), language, 15), isWhole: true };
  if (format === 'number') return { text: numberText(Number(given), language, 4), isWhole: true };
  const names: Readonly<Record<string, string>> = sentenceNames[language];
  const name = names[given];
  if (name !== undefined) return { text: name, isWhole: true };
  return depth < deepest ? translated(given, language, depth + 1) : undefined;
}

/** Three digits at most; a share near 0 or 1 never reads as 0 % or 100 %. */
function percentText(share: number, language: string): string {
  const digits = (value: number, most: number): string =>
    `${new Intl.NumberFormat(language, { maximumSignificantDigits: most }).format(value)} %`;
  if (share > 0 && share < 1e-6) return `< ${digits(0.0001, 1)}`;
  if (share < 1 && share > 1 - 1e-5) return `> ${digits(99.999, 5)}`;
  return digits(share * 100, share > 0.99 ? 5 : 3);
}

function numberText(value: number, language: string, digits: number): string {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: digits }).format(value);
}
