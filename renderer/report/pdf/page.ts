import { escapeHtml } from '../html.ts';
import { verdictSymbols } from '../verdict-marks.ts';

/** Ready HTML, as opposed to text that still has to be escaped. */
export interface Html {
  readonly html: string;
}

/** Tagged template: every value is escaped, except what is HTML already; lists are joined. */
export function html(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[])[]
): Html {
  const shown = values.map((value) => {
    if (typeof value === 'object') return 'html' in value ? value.html : value.map((item) => item.html).join('');
    return escapeHtml(String(value));
  });
  return { html: strings.reduce((text, next, i) => text + shown[i - 1]! + next) };
}

/** The typefaces of the window, which the printer serves; what it lacks the machine may have. */
const fonts = "Inter, 'Noto Sans KR', 'Noto Sans SC', 'Liberation Sans', 'Noto Sans', 'Noto Sans CJK SC', sans-serif";

/** Han characters have other forms in Chinese than in Korean. */
const chineseFonts = fonts.replace("'Noto Sans KR', 'Noto Sans SC'", "'Noto Sans SC', 'Noto Sans KR'");

/** Letters as they are written: other forms of a hyphen, and pairs moved together, are lost or torn when text is searched. */
const styles = `
@page { size: A4; margin: 16mm 14mm 20mm; }
* { box-sizing: border-box; }
body { margin: 0; color: #16191f; font: 10pt/1.4 ${fonts}; font-variant-ligatures: none; font-kerning: none; }
header { border-bottom: 1.5pt solid #16191f; padding-bottom: 3mm; margin-bottom: 5mm; }
h1 { font-size: 20pt; margin: 0; line-height: 1.15; }
h2 { font-size: 12.5pt; margin: 7mm 0 2mm; break-after: avoid; }
p { margin: 1mm 0; }
.soft { color: #555d6b; }
dl { display: grid; grid-template-columns: 42mm 1fr; gap: 1mm 4mm; margin: 0; }
dt { color: #555d6b; } dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th { text-align: left; font-weight: 600; border-bottom: 1pt solid #16191f; }
th, td { padding: 1.2mm 2mm 1.2mm 0; vertical-align: top; }
td { border-bottom: .5pt solid #d5d9e0; }
.number { text-align: right; }
.mark { width: 1em; height: 1em; vertical-align: -.12em; fill: currentColor; }
.pass { color: #0b6b3a; } .fail { color: #b3151d; } .review { color: #8a5200; } .noDecision { color: #6a3fb5; }
.verdict { font-size: 26pt; font-weight: 700; line-height: 1.1; }
.pictures { display: flex; gap: 5mm; margin: 4mm 0; }
figure { margin: 0; flex: 1; } figcaption { color: #555d6b; font-size: 9pt; }
figure .stack { position: relative; } figure img { width: 100%; display: block; } figure .stack img + img { position: absolute; inset: 0; height: 100%; }
svg text { font: 8pt ${fonts}; fill: #16191f; }
.chart { break-inside: avoid; }
.chart.score { max-width: 130mm; display: block; margin: 3mm 0 1mm; }
.keep { break-inside: avoid; }
.parts { font-size: 8.5pt; }
.short { white-space: nowrap; }
.certificate { font-size: 9pt; line-height: 1.3; }
.certificate header { display: flex; justify-content: space-between; align-items: baseline; padding-bottom: 2mm; margin-bottom: 3mm; }
.certificate h1 { font-size: 16pt; } .certificate h2 { font-size: 11pt; margin: 3mm 0 1mm; }
.certificate dl { row-gap: .6mm; } .certificate .pictures { margin: 2mm 0; } .certificate figcaption { font-size: 8pt; }
.certificate figure { max-width: 56mm; } .certificate .signature { margin-top: 11mm; }
.file { overflow-wrap: anywhere; }
.signature { break-inside: avoid; display: grid; grid-template-columns: 1fr 1fr; gap: 10mm; margin-top: 16mm; }
.signature div { border-top: .8pt solid #16191f; padding-top: 1mm; color: #555d6b; font-size: 9pt; }
:lang(zh) body, :lang(zh) svg text { font-family: ${chineseFonts}; }
`;

/** A whole printable page with its own styles; it loads nothing. */
export function reportPage(title: string, locale: string, body: Html, kind = ''): string {
  return `<!doctype html><html lang="${escapeHtml(locale)}"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><link rel="stylesheet" href="fonts.css"><style>${styles}</style></head><body class="${kind}">${verdictSymbols}${body.html}</body></html>`;
}

/** Label and value pairs. */
export function facts(rows: readonly (readonly [string, string | number | Html])[]): Html {
  return html`<dl>
    ${rows.map(
      ([label, value]) =>
        html`<dt>${label}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

export function percent(share: number, locale: string, digits = 1): string {
  return `${decimal(100 * share, locale, digits)} %`;
}

/** A number as the language writes it. */
export function decimal(value: number, locale: string, digits: number): string {
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Date and time nobody can misread, in local time, to the second. */
export function localTime(iso: string): string {
  const time = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${localDay(iso)} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

export function localDay(iso: string): string {
  const time = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

/** `/line/inbox/7.png` as `7.png`; the folder is of this station only. */
export function fileName(source: string): string {
  return source.split(/[\\/]/).at(-1) ?? source;
}

/** Two lines to sign on. */
export function signature({ signature, nameAndDate }: { signature: string; nameAndDate: string }): Html {
  return html`<div class="signature">
    <div>${signature}</div>
    <div>${nameAndDate}</div>
  </div>`;
}
