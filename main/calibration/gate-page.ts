import { pathToFileURL } from 'node:url';
import type { ChangedPicture, GateResult } from '../../shared/calibration/gates.ts';
import { escapeHtml } from '../../renderer/report/html.ts';
import type { SeenByBoth } from './gate-heat.ts';

/** What the page shows. */
export interface GatePageData {
  active: { path: string; modelHash: string };
  candidate: { path: string; modelHash: string };
  open: boolean;
  gates: readonly GateResult[];
  at: string;
  /** Pictures judged differently, as each model sees them; one that is missing here is shown as it is. */
  seen?: ReadonlyMap<string, SeenByBoth>;
}

/** Most pictures on the page; the JSON report lists all. */
export const mostPictures = 200;

/**
 * One page with every check in words and the changed pictures side by side, as each model judged them, each with that
 * model's own heat map.
 */
export function gatePage({ active, candidate, open, gates, at, seen }: GatePageData): string {
  const changed = gates.find(({ gate }) => gate === 'goldenSet')?.changed ?? [];
  const more =
    changed.length > mostPictures ? `<p>${String(changed.length - mostPictures)} more are in the JSON report.</p>` : '';
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Gate</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
li.no { font-weight: 600; } li.no::marker { content: "\\2715  "; } li.ok::marker { content: "\\2713  "; }
figure { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin: 1.5rem 0; border-top: 1px solid; padding-top: 1rem; }
figcaption { grid-column: 1 / -1; } img { width: 100%; border: 4px solid; }
.pass img { border-color: #2e7d32; } .fail img, .noDecision img { border-color: #c62828; } .review img { border-color: #b26a00; }
</style>
<h1>${open ? 'The candidate may take over' : 'The candidate is refused'}</h1>
<p>Active: ${escapeHtml(active.path)} (${active.modelHash.slice(0, 12)}), candidate: ${escapeHtml(candidate.path)}
(${candidate.modelHash.slice(0, 12)}), ${escapeHtml(at)}</p>
${gates.map(gateSection).join('\n')}
<h2>Pictures judged differently: ${String(changed.length)}</h2>
${changed
  .slice(0, mostPictures)
  .map((picture) => figure(picture, seen?.get(picture.id)))
  .join('\n')}${more}
</html>
`;
}

function gateSection({ gate, outcome, checks, override }: GateResult): string {
  const lines = checks.map(
    ({ passed, statement }) => `<li class="${passed ? 'ok' : 'no'}">${escapeHtml(statement.text)}</li>`,
  );
  const by =
    override === null
      ? ''
      : `<p><strong>Overridden by ${escapeHtml(override.by)} (${escapeHtml(override.role)}), ${escapeHtml(override.at)}: ${escapeHtml(override.reason)}</strong></p>`;
  return `<h2>${titles[gate]}: ${outcome}</h2>${by}<ul>${lines.join('')}</ul>`;
}

const titles = { goldenSet: 'Golden set', oldProducts: 'Old products', latency: 'Latency', parity: 'Parity' } as const;

function figure({ id, className, gtLabel, effect, ...judged }: ChangedPicture, seen: SeenByBoth | undefined): string {
  const url = escapeHtml(pathToFileURL(id).href);
  const side = (name: string, verdict: string, score: number, picture = url): string =>
    `<div class="${verdict}">${name}: ${verdict}, score ${score.toFixed(3)}<img src="${picture}" alt="" loading="lazy"></div>`;
  return `<figure><figcaption>${escapeHtml(id)} (${escapeHtml(className)}, truth: ${gtLabel}): ${effect}</figcaption>
${side('Active', judged.active, judged.activeScore, seen?.active)}${side('Candidate', judged.candidate, judged.candidateScore, seen?.candidate)}</figure>`;
}
