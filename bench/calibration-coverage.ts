/**
 * Do the guarantees hold? Simulated plants whose true rates are known: each draws calibration pictures, lets a policy
 * choose its thresholds, and compares the promise with the truth.
 *
 *   node bench/run.mjs bench/calibration-coverage.ts [plants per scenario, default 10000] [--json FILE]
 */
import { writeFileSync } from 'node:fs';
import { coverageOf, scenarios, type CoverageRow } from '../test/calibration/plants.ts';

const plants = Number(process.argv.find((word, i) => i > 1 && /^\d+$/.test(word)) ?? 10_000);
const jsonAt = process.argv.indexOf('--json');
const rows: CoverageRow[] = [];
console.log(`Coverage in ${String(plants)} simulated plants each; nominal in the second column.`);
console.log('policy / statement                     nominal  coverage  refused  plant');
for (const scenario of scenarios) {
  const row = coverageOf(scenario, plants, 20_260_701);
  rows.push(row);
  console.log(
    `${row.statement.padEnd(38)} ${row.nominal.toFixed(3).padStart(7)} ${row.coverage.toFixed(4).padStart(9)} ${row.refused
      .toFixed(3)
      .padStart(8)}  ${row.plant}`,
  );
}
const worst = rows.reduce(
  (low, row) => (row.coverage - row.nominal < low.coverage - low.nominal ? row : low),
  rows[0]!,
);
console.log(`Least margin: ${(worst.coverage - worst.nominal).toFixed(4)} (${worst.statement}, ${worst.plant})`);
if (jsonAt > 0) writeFileSync(process.argv[jsonAt + 1]!, `${JSON.stringify(rows, null, 1)}\n`);
