import { clopperPearson } from '../../../shared/calibration/binomial.ts';
import { displayScore } from '../../../shared/calibration/display-score.ts';
import type { GateResult } from '../../../shared/ipc/training.ts';
import { say, saySentence } from '../../../shared/phrases/say.ts';
import { engineLabel } from '../../../shared/station/engine-label.ts';
import type { ClassMetrics, GateOverride, StationModel } from '../../../shared/station/domain.ts';
import { scoreHistogram } from './charts.ts';
import { decimal, facts, html, localTime, percent, reportPage, type Html } from './page.ts';
import { personText, reviewOnScale, scoreText, thresholdTable, type HeldThresholds } from './thresholds.ts';
import type { ReportWords } from './report-words.ts';

const fact = (name: string, value: string): [string, string] => [name, value];

export interface ModelCard {
  station: string;
  project: string;
  printedAt: string;
  printedBy: string;
  model: StationModel;
  /** Every pair of thresholds it has had, newest first. */
  held: readonly HeldThresholds[];
  /** What was learnt from; null: nobody knows it any more. */
  snapshot: { hash: string; classes: readonly { className: string; normal: number; calibration: number }[] } | null;
  gates: readonly GateResult[];
  /** Scores of labelled pictures it never learnt from, as far as they are known. */
  scores: { good: readonly number[]; bad: readonly number[] };
}

/** What a model is, what it was made from, how well it was found to do, and how its thresholds came about. */
export function modelCard(card: ModelCard, words: ReportWords): string {
  const { model, project, snapshot, gates, held } = card;
  const title = `${words.modelCard}: ${project} v${model.version}`;
  const body = html`<header><h1>${title}</h1></header>
    ${facts([
      [words.station, card.station],
      [words.project, project],
      [words.modelState, words.modelStates[model.state]],
      [words.modelHash, model.modelHash],
      [words.preset, words.presets[model.preset] ?? model.preset],
      [words.engine, engineLabel(model.engine)],
      [words.trainedAt, `${localTime(model.createdAt)}, ${words.trainedOn(model.pictures)}`],
      [words.trainedBy, personText(model.createdBy, words)],
      ...(snapshot === null ? [] : [fact(words.snapshotHash, snapshot.hash)]),
      [words.reviewFrom, scoreText(model.thresholds.review, words)],
      [words.failFrom, scoreText(model.thresholds.fail, words)],
      [words.basis, say(model.basis, words.locale)],
      ...(model.unknownClass === undefined
        ? []
        : [fact(words.unknownClasses, say(model.unknownClass.statement, words.locale))]),
      ...(model.override ? [fact(words.override, overrideWords(model.override, words))] : []),
      [words.parity, parityWords(model, words)],
      [words.printed, `${localTime(card.printedAt)}, ${card.printedBy}`],
    ])}
    <h2>${words.perClass}</h2>
    ${metricsTable(model.metrics, words)} ${histogram(card, words)}
    ${gates.length === 0 ? html`` : gateTable(gates, words)}
    ${snapshot === null ? html`` : learnedTable(snapshot, words)}
    <h2>${words.thresholdChanges}</h2>
    ${thresholdTable(
      held.map((one) => ({ held: one })),
      words,
    )}`;
  return reportPage(title, words.locale, body);
}

function overrideWords({ by, role, at, reason, gates }: GateOverride, { locale, gateNames }: ReportWords): string {
  const refused = gates.map((gate) => gateNames[gate] ?? gate).join(', ');
  return `${by} (${say(role, locale)}), ${localTime(at)}: ${reason} (${refused})`;
}

function parityWords({ parity }: StationModel, words: ReportWords): string {
  const { maxAbsDifference, verdictFlips, pictures } = parity;
  const difference = new Intl.NumberFormat(words.locale, { maximumSignificantDigits: 2 }).format(maxAbsDifference);
  return words.parityStatement(difference, verdictFlips, pictures);
}

/** A share with what it was counted on and its exact interval. */
function rate(share: number | null, of: number, words: ReportWords): Html {
  if (share === null || of === 0) return html`${words.notMeasured}`;
  const count = Math.round(share * of);
  const { low, high } = clopperPearson(count, of, 0.95);
  return html`${percent(share, words.locale)} (${count} / ${of})<br /><span class="soft short"
      >${percent(low, words.locale)} – ${percent(high, words.locale)}</span
    >`;
}

function metricsTable(metrics: readonly ClassMetrics[], words: ReportWords): Html {
  if (metrics.length === 0) return html`<p class="soft">${words.notMeasured}</p>`;
  const auroc = (value: number | null): string =>
    value === null ? words.notMeasured : decimal(value, words.locale, 4);
  const all = metrics.length < 2 ? [] : [together(metrics, words)];
  return html`<table>
    <thead>
      <tr>
        <th>${words.class}</th>
        <th class="number">${words.pictures}</th>
        <th class="number">${words.defective}</th>
        <th class="number">AUROC</th>
        <th class="number">${words.goodFailed}, ${words.interval}</th>
        <th class="number">${words.defectsPassed}, ${words.interval}</th>
      </tr>
    </thead>
    <tbody>
      ${[...metrics, ...all].map(
        (row) =>
          html`<tr>
            <td>${row.className}</td>
            <td class="number">${row.pictures}</td>
            <td class="number">${row.defects}</td>
            <td class="number">${auroc(row.imageAuroc)}</td>
            <td class="number">${rate(row.falseRejectRate, row.pictures - row.defects, words)}</td>
            <td class="number">${rate(row.escapeRate, row.defects, words)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** All classes: counts add up, and so the rates; areas under curves are averaged. */
function together(metrics: readonly ClassMetrics[], words: ReportWords): ClassMetrics {
  const sum = (of: (row: ClassMetrics) => number): number => metrics.reduce((all, row) => all + of(row), 0);
  const pictures = sum((row) => row.pictures);
  const defects = sum((row) => row.defects);
  const measured = metrics.flatMap(({ imageAuroc }) => (imageAuroc === null ? [] : [imageAuroc]));
  const good = pictures - defects;
  return {
    className: words.allClasses,
    pictures,
    defects,
    imageAuroc: measured.length === 0 ? null : measured.reduce((all, one) => all + one, 0) / measured.length,
    falseRejectRate: good === 0 ? null : sum((row) => (row.falseRejectRate ?? 0) * (row.pictures - row.defects)) / good,
    escapeRate: defects === 0 ? null : sum((row) => (row.escapeRate ?? 0) * row.defects) / defects,
  };
}

function histogram({ scores, model: { thresholds } }: ModelCard, words: ReportWords): Html {
  if (scores.good.length + scores.bad.length === 0) return html``;
  const shown = (raw: readonly number[]): number[] => raw.map((score) => displayScore(score, thresholds));
  return html`<div class="keep">
    <h2>${words.scores}</h2>
    ${scoreHistogram(shown(scores.good), shown(scores.bad), reviewOnScale(thresholds), {
      good: `${words.good} (${scores.good.length})`,
      bad: `${words.defective} (${scores.bad.length})`,
      x: words.scoreAxis,
      y: words.picturesAxis,
      review: words.verdicts.review,
      fail: words.verdicts.fail,
    })}
  </div>`;
}

function gateTable(gates: readonly GateResult[], words: ReportWords): Html {
  const statement = ({ sentences, statement: english }: GateResult): string =>
    sentences.length > 0
      ? sentences.map((one) => saySentence(one, words.locale)).join(' ')
      : say(english, words.locale);
  return html`<h2>${words.gates}</h2>
    <table>
      <tbody>
        ${gates.map(
          (gate) =>
            html`<tr>
              <td>${words.gateNames[gate.gate] ?? gate.gate}</td>
              <td><b class="short">${gate.passed ? words.gatePassed : words.gateRefused}</b></td>
              <td>${statement(gate)}</td>
            </tr>`,
        )}
      </tbody>
    </table>`;
}

function learnedTable({ classes }: NonNullable<ModelCard['snapshot']>, words: ReportWords): Html {
  return html`<h2>${words.learnedFrom}</h2>
    <table class="keep">
      <thead>
        <tr>
          <th>${words.class}</th>
          <th class="number">${words.pictures}</th>
          <th class="number">${words.forThresholds}</th>
        </tr>
      </thead>
      <tbody>
        ${classes.map(
          ({ className, normal, calibration }) =>
            html`<tr>
              <td>${className}</td>
              <td class="number">${normal}</td>
              <td class="number">${calibration}</td>
            </tr>`,
        )}
      </tbody>
    </table>`;
}
