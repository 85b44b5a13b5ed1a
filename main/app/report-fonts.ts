import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The window's own typefaces for printed reports: its stylesheets' `@font-face` rules, and the files they name. A report
 * then looks the same on every machine, whatever typefaces that has, in all four languages.
 */
export class ReportFonts {
  readonly #assets: string;
  #rules: Promise<string> | undefined;

  /** @param window folder of the built window */
  constructor(window: string) {
    this.#assets = join(window, 'assets');
  }

  /** All rules, with the files' names relative to the page. */
  rules(): Promise<string> {
    this.#rules ??= this.#readRules().catch(() => '');
    return this.#rules;
  }

  /** @returns undefined for anything but a typeface of the window */
  async file(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!/^[\w.-]+\.woff2$/.test(name)) return undefined;
    return readFile(join(this.#assets, name)).then(
      (bytes) => new Uint8Array(bytes),
      () => undefined,
    );
  }

  async #readRules(): Promise<string> {
    const sheets = (await readdir(this.#assets)).filter((name) => name.endsWith('.css')).sort();
    const texts = await Promise.all(sheets.map((name) => readFile(join(this.#assets, name), 'utf8')));
    return (
      texts
        .flatMap((text) => text.match(/@font-face\s*\{[^}]*\}/g) ?? [])
        // A report is not shown: it waits for its letters.
        .map((rule) => rule.replace(/font-display:\s*\w+/, 'font-display:block'))
        .map((rule) => rule.replaceAll(/url\((["']?)(?:[^"')]*\/)?([^"')/]+)\1\)/g, 'url("$2")'))
        .join('\n')
    );
  }
}
