import type { ChannelOutput } from '../../../shared/ipc/contract.ts';
import type { GateOverride, StationModel } from '../../../shared/station/domain.ts';
import { say } from '../../../shared/phrases/say.ts';
import { facts, html, localTime, percent, reportPage } from './page.ts';
import type { ReportWords } from './words.ts';

const fact = (name: string, value: string): [string, string] => [name, value];

function overrideWords({ by, role, at, reason, gates }: GateOverride, { locale }: ReportWords): string {
  const refused = gates.map((gate) => say(gate, locale)).join(', ');
  return `${by} (${say(role, locale)}), ${localTime(at)}: ${reason} (${refused})`;
}

export interface ModelCard {
  station: string;
  project: string;
  printedAt: string;
  model: StationModel;
  changes: ChannelOutput<'thresholds.history'>;
}

/** What a model is, what it was made from, how well it was found to do, and how its thresholds came about. */
export function modelCard({ station, project, printedAt, model, changes }: ModelCard, words: ReportWords): string {
  const title = `${words.modelCard}: ${project} v${model.version}`;
  const rate = (value: number | null): string => (value === null ? words.notMeasured : percent(value, words.locale));
  const { maxAbsDifference, verdictFlips, pictures } = model.parity;
  const body = html`<header><h1>${title}</h1></header>
    ${facts([
      [words.station, station],
      [words.project, project],
      [words.modelHash, model.modelHash],
      [words.preset, model.preset],
      [words.engine, model.engine],
      [words.trainedAt, `${localTime(model.createdAt)}, ${words.trainedOn(model.pictures)}`],
      [words.trainedBy, model.createdBy],
      [words.reviewFrom, model.thresholds.review.toFixed(4)],
      [words.failFrom, model.thresholds.fail.toFixed(4)],
      [words.basis, say(model.basis, words.locale)],
      ...(model.unknownClass === undefined
        ? []
        : [fact(words.unknownClasses, say(model.unknownClass.statement, words.locale))]),
      ...(model.override ? [fact(words.override, overrideWords(model.override, words))] : []),
      [words.parity, words.parityStatement(maxAbsDifference.toExponential(1), verdictFlips, pictures)],
      [words.printed, localTime(printedAt)],
    ])}
    <h2>${words.perClass}</h2>
    ${
      model.metrics.length === 0
        ? html`<p class="soft">${words.notMeasured}</p>`
        : html`<table>
            <thead>
              <tr>
                <th>${words.class}</th>
                <th class="number">${words.parts}</th>
                <th class="number">${words.defects}</th>
                <th class="number">AUROC</th>
                <th class="number">${words.falseRejects}</th>
                <th class="number">${words.escapes}</th>
              </tr>
            </thead>
            <tbody>
              ${model.metrics.map(
                (row) =>
                  html`<tr>
                    <td>${row.className}</td>
                    <td class="number">${row.pictures}</td>
                    <td class="number">${row.defects}</td>
                    <td class="number">${row.imageAuroc === null ? words.notMeasured : row.imageAuroc.toFixed(4)}</td>
                    <td class="number">${rate(row.falseRejectRate)}</td>
                    <td class="number">${rate(row.escapeRate)}</td>
                  </tr>`,
              )}
            </tbody>
          </table>`
    }
    <h2>${words.thresholdChanges}</h2>
    ${
      changes.length === 0
        ? html`<p class="soft">${words.none}</p>`
        : html`<table>
            <thead>
              <tr>
                <th>${words.time}</th>
                <th>${words.person}</th>
                <th class="number">${words.reviewFrom}</th>
                <th class="number">${words.failFrom}</th>
                <th>${words.reason}</th>
              </tr>
            </thead>
            <tbody>
              ${changes.map(
                (change) =>
                  html`<tr>
                    <td>${localTime(change.at)}</td>
                    <td>${change.by}</td>
                    <td class="number">${change.thresholds.review.toFixed(3)}</td>
                    <td class="number">${change.thresholds.fail.toFixed(3)}</td>
                    <td>${change.reason}</td>
                  </tr>`,
              )}
            </tbody>
          </table>`
    }`;
  return reportPage(title, words.locale, body);
}
