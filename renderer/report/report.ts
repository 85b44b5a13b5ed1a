import { rateUpperBound } from '../../shared/calibration/binomial.ts';
import type { Verdict } from '../../shared/detection.ts';
import { embedJson, escapeHtml } from './html.ts';
import type { ReportData, ReportPart } from './report-data.ts';
import { reportScript } from './script.ts';
import { reportStyles } from './styles.ts';
import { verdictMark, verdictOrder, verdictSymbols, verdictWords } from './verdict-marks.ts';

/** Fixes what the page may load: nothing from any network, pictures from inside the file or from beside it. */
const contentPolicy =
  "default-src 'none'; img-src data: file: 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The report as one HTML page that opens offline, in any browser. */
export function renderReport(data: ReportData): string {
  const total = verdictOrder.reduce((sum, verdict) => sum + data.counts[verdict], 0);
  const classes = [...new Set(data.parts.map((part) => part.className).filter((name) => name !== null))].sort();
  const when = data.createdAt.slice(0, 16).replace('T', ' ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(data.title)}</title>
<style>${reportStyles}</style>
</head>
<body>
${verdictSymbols}
<header>
<div>
<h1>${escapeHtml(data.title)}</h1>
<p class="soft">${String(total)} parts, ${when} UTC. Model ${escapeHtml(data.model.fileName)} (${escapeHtml(data.model.hash.slice(0, 12))}), ${plural(data.model.classes, 'class', 'classes')}.</p>
</div>
<div class="counters" role="group" aria-label="Show one verdict only">
${verdictOrder.map((verdict) => counter(verdict, data.counts[verdict], total)).join('\n')}
</div>
</header>
<div class="bar">
<input id="search" type="search" placeholder="Find a file or class  ( / )" aria-label="Find a file or class">
<select id="class" aria-label="Class"><option value="">All classes</option>${classes.map((name) => `<option>${escapeHtml(name)}</option>`).join('')}</select>
<select id="sort" aria-label="Order"><option value="rank">Least normal first</option><option value="file">By file name</option><option value="class">By class</option><option value="time">Slowest first</option></select>
<button id="theme" type="button">Light or dark<kbd>T</kbd></button>
<span class="shown soft" aria-live="polite"></span>
</div>
<main>
<ol class="list" aria-label="Parts, least normal first">
${data.parts.map(listRow).join('\n')}
</ol>
${detailPanel()}
</main>
<footer>
<span><kbd>↑</kbd> <kbd>↓</kbd> part</span><span><kbd>F</kbd> fail <kbd>R</kbd> review <kbd>N</kbd> no decision <kbd>P</kbd> pass <kbd>A</kbd> all</span><span><kbd>H</kbd> heat map</span><span><kbd>S</kbd> order</span>
${data.notes.map((note) => `<span>${escapeHtml(note)}</span>`).join('')}
</footer>
<script type="application/json" id="parts">${embedJson(data.parts)}</script>
<script>${reportScript}</script>
</body>
</html>
`;
}

function counter(verdict: Verdict, count: number, total: number): string {
  const rate = total === 0 ? '' : ` ${percent(count / total)} (95 %: ${interval(count, total)})`;
  return `<button type="button" data-verdict="${verdict}" aria-pressed="false">${verdictMark(verdict)}<b>${String(count)} of ${String(total)}</b><small>${verdictWords[verdict]}${rate}</small></button>`;
}

/** Two-sided 95 % interval of a rate (Clopper-Pearson), percent. */
function interval(count: number, total: number): string {
  const low = 1 - rateUpperBound(total - count, total, 0.975);
  const high = rateUpperBound(count, total, 0.975);
  return `${(100 * low).toFixed(1)}-${percent(high)}`;
}

function percent(rate: number): string {
  return `${(100 * rate).toFixed(1)} %`;
}

function listRow(part: ReportPart, index: number): string {
  const name = part.file.split(/[\\/]/).at(-1) ?? part.file;
  // The script gives it its picture when it comes into view: the page holds each picture once.
  const thumb = part.picture === null ? '<span class="thumb"></span>' : '<img class="thumb" decoding="async" alt="">';
  const score = part.display === null ? '' : part.display.score.toFixed(0);
  return (
    `<li data-index="${String(index)}" data-word="${verdictWords[part.verdict]}"><button class="row" type="button">` +
    `<span class="rank">${String(index + 1)}</span>${thumb}` +
    `<span><span class="name" title="${escapeHtml(part.file)}">${escapeHtml(name)}</span><span class="class">${escapeHtml(part.className ?? 'no class')}</span></span>` +
    `<span><span class="word ${part.verdict}">${verdictMark(part.verdict)}${verdictWords[part.verdict]}</span><span class="score">${score}</span></span></button></li>`
  );
}

/** Empty until the script fills it from the part chosen. */
function detailPanel(): string {
  const share = (name: string, words: string): string =>
    `<span data-share="${name}">${words}</span><span data-share="${name}"><i data-field="${name}-bar"></i></span><span class="percent" data-share="${name}" data-field="${name}-percent"></span>`;
  const fact = (name: string, words: string): string => `<dt>${words}</dt><dd data-field="${name}"></dd>`;
  return `<section class="detail" aria-label="The part chosen" hidden>
<div class="stage">
<div class="part"><img data-field="picture" alt=""><img class="heat" data-field="heat" alt=""><p class="missing" data-field="missing">There is no picture to show.</p></div>
<div class="legend"><span data-field="legend" style="display:contents"><span data-field="low"></span><i></i><span>fail 50 and above</span></span><button id="heat" type="button" aria-pressed="true">Heat map<kbd>H</kbd></button></div>
</div>
<div class="facts">
<div class="verdict" data-field="verdict"></div>
<div data-field="scores"><h2>Score (fail from 50)</h2><div class="scale"><div class="now" data-field="now"></div><div class="track"><i data-field="fill"></i></div><div class="tick low" data-field="review"><span></span></div><div class="tick high" style="left:50%"><span>fail 50</span></div></div></div>
<p data-field="why"></p>
<div data-field="shares"><h2>Where the score comes from</h2><div class="shares">${share('memory', 'Unlike known good parts')}${share('local', 'Local change')}${share('semantic', 'Whole part')}</div></div>
<dl>${fact('similar', 'Most similar good part')}${fact('file', 'File')}${fact('class', 'Class')}${fact('raw', 'Raw score')}${fact('latency', 'Time')}</dl>
</div>
</section>`;
}

function plural(count: number, one: string, many: string): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}
