import type { AppraiserResult, ExactRate, Kappa, Rating, StudyResult } from './types.ts';

/** The study as one HTML page without anything outside it; prints on paper. @param createdAt ISO 8601 */
export function studyReport(result: StudyResult, createdAt: string): string {
  const { appraisers, pairs, fleiss, between, system, parts, defects, repeats, confidence, notes } = result;
  const intervals = `${String(100 * confidence)} %`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Attribute agreement study</title>
<style>${styles}</style>
</head>
<body>
<h1>Attribute agreement study</h1>
<p class="soft">${String(parts)} parts, ${String(defects)} of them defective, ${String(appraisers.length)} appraisers, ${String(repeats)} rounds. ${text(createdAt)}</p>
<h2>Each appraiser against the reference</h2>
<table>
<thead><tr><th>appraiser</th><th>effectiveness</th><th>escapes (misses)</th><th>false alarms</th><th>judged both ways</th><th>kappa</th></tr></thead>
<tbody>${appraisers.map(appraiserRow).join('')}</tbody>
</table>
<p class="soft">Effectiveness: parts judged right in every round. Escapes: showings of a defective part called good. False alarms: showings of a good part called defective.</p>
<h2>Agreement</h2>
<table>
<thead><tr><th>between whom</th><th>agreement</th><th>kappa</th></tr></thead>
<tbody>
${appraisers.map((entry) => line(`${entry.appraiser}, with oneself`, rate(entry.within), entry.kappaWithin === null ? '' : kappaCell(entry.kappaWithin))).join('')}
${pairs.map(({ a, b, kappa }) => line(`${a} and ${b}`, `${(100 * kappa.observed).toFixed(1)} % of the showings`, kappaCell(kappa))).join('')}
${line('all, in every round', rate(between), fleiss === null ? '' : `${kappaCell(fleiss)} (Fleiss)`)}
${line('all, in every round, with the reference', rate(system), '')}
</tbody>
</table>
<h2>How to read it</h2>
<ul>
<li>Brackets hold ${intervals} intervals: exact ones (Clopper and Pearson) for rates; for kappas by leaving out one part after the other.</li>
<li>Kappa is the agreement beyond chance: above 0.75 good, below 0.4 poor (AIAG's Measurement Systems Analysis).</li>
<li>Steps, as AIAG has them: effectiveness at least 90 % acceptable, at least 80 % marginal; escapes at most 2 % and 5 %; false alarms at most 5 % and 10 %.</li>
${notes.map((note) => `<li>${text(note.text)}</li>`).join('\n')}
</ul>
</body>
</html>
`;
}

const styles = `
:root { --ground: #f5f6f8; --panel: #fff; --ink: #16191f; --soft: #555d6b; --line: #16191f1f; --good: #0b6b3a; --middle: #8a5200; --bad: #b3151d; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --panel: #1d2128; --ink: #eceff4; --soft: #a4adbb; --line: #eceff41f; --good: #55d08d; --middle: #ffbb52; --bad: #ff8078; } }
@media print { :root { --ground: #fff; --panel: #fff; --ink: #000; --soft: #444; --line: #0003; --good: #0b6b3a; --middle: #8a5200; --bad: #b3151d; } }
body { margin: 24px auto; max-width: 960px; padding: 0 16px; background: var(--ground); color: var(--ink); font: 15px/1.5 Inter, 'IBM Plex Sans', system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 24px; } h2 { font-size: 18px; margin-top: 32px; } .soft { color: var(--soft); }
table { width: 100%; border-collapse: collapse; background: var(--panel); border: 1px solid var(--line); }
th, td { padding: 8px 12px; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; } th { font-weight: 600; }
small { color: var(--soft); white-space: nowrap; } .acceptable { color: var(--good); } .marginal { color: var(--middle); } .unacceptable { color: var(--bad); }
`;

function appraiserRow({
  appraiser,
  effectiveness,
  misses,
  falseAlarms,
  mixed,
  kappaReference,
  rating,
}: AppraiserResult): string {
  const rated = (value: ExactRate, word: Rating): string =>
    value.value === null ? rate(value) : `${rate(value)} <span class="${word}">${word}</span>`;
  const cells = [
    text(appraiser),
    rated(effectiveness, rating.effectiveness),
    rated(misses, rating.misses),
    rated(falseAlarms, rating.falseAlarms),
    `${String(mixed.count)} of ${String(mixed.total)}`,
    kappaCell(kappaReference),
  ];
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function line(what: string, agreement: string, kappa: string): string {
  return `<tr><td>${text(what)}</td><td>${agreement}</td><td>${kappa}</td></tr>\n`;
}

function rate({ count, total, value, low, high }: ExactRate): string {
  if (value === null) return 'not measured';
  return `${(100 * value).toFixed(1)} % <small>(${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}; ${String(count)} of ${String(total)})</small>`;
}

function kappaCell({ value, low, high }: Kappa): string {
  if (value === null) return 'not defined: only one word was used';
  const interval = low === null || high === null ? '' : ` <small>(${low.toFixed(2)} to ${high.toFixed(2)})</small>`;
  return `${value.toFixed(2)}${interval}`;
}

function text(value: string): string {
  return value.replace(/[&<>"']/g, (char) => `&#${String(char.charCodeAt(0))};`);
}
