import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditActions } from '../../shared/audit/event.ts';

const app = join(import.meta.dirname, '../../renderer/app');
const languages = ['en', 'de', 'ko', 'zh-CN'] as const;

type Catalogue = { [key: string]: string | Catalogue };

function flatten(catalogue: Catalogue, prefix: string, into: Map<string, string>): void {
  for (const [key, value] of Object.entries(catalogue)) {
    if (typeof value === 'string') into.set(`${prefix}${key}`, value);
    else flatten(value, `${prefix}${key}.`, into);
  }
}

/** Every message of a language as `area.key`. */
function messagesOf(language: string): Map<string, string> {
  const messages = new Map<string, string>();
  const folder = join(app, 'i18n', language);
  for (const file of readdirSync(folder)) {
    const catalogue = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Catalogue;
    flatten(catalogue, `${file.replace(/\.json$/, '')}.`, messages);
  }
  return messages;
}

const sources = readdirSync(app, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(vue|ts)$/.test(file))
  .map((file) => ({ file, text: readFileSync(join(app, file), 'utf8') }));

/** Keys written out, and patterns of those put together in a template literal: `verdict.${verdict}`. */
function usedKeys(): { literal: Map<string, string>; patterns: RegExp[] } {
  const literal = new Map<string, string>();
  const patterns: RegExp[] = [];
  for (const { file, text } of sources) {
    for (const [, key] of text.matchAll(/\b(?:t|te)\(\s*'([^']+)'/g)) literal.set(key!, file);
    for (const [, key] of text.matchAll(/'([a-z][A-Za-z]*(?:\.[A-Za-z0-9]+)+)'/g))
      literal.set(key!, literal.get(key!) ?? '');
    for (const [, key] of text.matchAll(/`([a-z][A-Za-z]*\.[^`\s]*\$\{[^`]*)`/g)) {
      const parts = key!.split(/\$\{[^}]*\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'));
      patterns.push(new RegExp(`^${parts.join('[A-Za-z0-9-]+')}$`));
    }
  }
  return { literal, patterns };
}

/** `{name}` places of a message. */
const places = (message: string): string[] => [...message.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).sort();

const english = messagesOf('en');

describe('messages of the window', () => {
  it('has every key in every language, and no other', () => {
    for (const language of languages)
      expect([...messagesOf(language).keys()].sort(), language).toEqual([...english.keys()].sort());
  });

  it('has words for everything that the audit log records, and for nothing else', () => {
    const worded = [...english.keys()].filter((key) => key.startsWith('auditAction.'));
    expect(worded.sort()).toEqual(auditActions.map((action) => `auditAction.${action}`).sort());
  });

  it('keeps the same places in every language, and leaves nothing empty', () => {
    for (const language of languages) {
      for (const [key, message] of messagesOf(language)) {
        expect(message.trim(), `${language} ${key}`).not.toBe('');
        expect([...new Set(places(message))], `${language} ${key}`).toEqual([...new Set(places(english.get(key)!))]);
      }
    }
  });

  it('has every key that the screens ask for', () => {
    const missing = [...usedKeys().literal].filter(([key, file]) => file !== '' && !english.has(key));
    expect(missing).toEqual([]);
  });

  it('has no key that nothing asks for', () => {
    const { literal, patterns } = usedKeys();
    const unused = [...english.keys()].filter(
      (key) => !literal.has(key) && !patterns.some((pattern) => pattern.test(key)),
    );
    expect(unused).toEqual([]);
  });

  it('is translated: a sentence in another language is not the English one', () => {
    for (const language of languages.slice(1)) {
      const same = [...messagesOf(language)].filter(
        ([key, message]) => message.length > 24 && message === english.get(key),
      );
      expect(same, language).toEqual([]);
    }
  });
});
