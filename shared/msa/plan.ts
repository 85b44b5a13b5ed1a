import { UserError } from '../errors.ts';
import { createRandom } from '../random.ts';
import type { StudyPart, StudyPlan, StudyTrial } from './types.ts';

/** Showings at a round's end that must not come again at the next one's start: who just saw a part remembers it. */
const apart = 3;

/**
 * Who judges what in which order: every appraiser sees all parts once a round, each round in an order of its own, so
 * that neither place nor neighbour tells which part it is. The same seed gives the same plan.
 * @throws UserError `studyTooSmall` | `studyNamesTwice` naming what is missing
 */
export function planStudy(
  parts: readonly StudyPart[],
  appraisers: readonly string[],
  repeats: number,
  seed: number,
): StudyPlan {
  if (parts.length < 2) {
    throw new UserError(
      'studyTooSmall',
      `A study of ${String(parts.length)} part(s) says nothing.`,
      'Give 20 to 50 parts.',
    );
  }
  if (appraisers.length < 1 || !Number.isInteger(repeats) || repeats < 1) {
    throw new UserError(
      'studyTooSmall',
      'A study needs at least one appraiser and one repeat.',
      'Usual are 2 or 3 of both.',
    );
  }
  refuseTwice(
    parts.map(({ part }) => part),
    'part',
  );
  refuseTwice(appraisers, 'appraiser');
  const random = createRandom(seed);
  const trials: StudyTrial[] = [];
  for (const appraiser of appraisers) {
    let before: string[] = [];
    for (let repeat = 1; repeat <= repeats; repeat++) {
      const order = roundOrder(
        parts.map(({ part }) => part),
        before,
        random,
      );
      order.forEach((part, i) => {
        trials.push({ appraiser, position: (repeat - 1) * parts.length + i + 1, repeat, part });
      });
      before = order;
    }
  }
  return { seed, appraisers: [...appraisers], parts: parts.map((part) => ({ ...part })), repeats, trials };
}

/** A random order whose start keeps clear of the end of the round before. */
function roundOrder(parts: string[], before: readonly string[], random: ReturnType<typeof createRandom>): string[] {
  const clear = Math.min(apart, Math.floor(parts.length / 3));
  const recent = new Set(before.slice(Math.max(0, before.length - clear)));
  random.shuffle(parts);
  for (let i = 0; i < clear; i++) {
    if (!recent.has(parts[i]!)) continue;
    // From the places after the start there is always one that may come: recent parts are fewer than those.
    let j = clear + random.int(parts.length - clear);
    while (recent.has(parts[j]!)) j = j + 1 < parts.length ? j + 1 : clear;
    [parts[i], parts[j]] = [parts[j]!, parts[i]!];
  }
  return parts;
}

function refuseTwice(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (name === '') throw new UserError('studyNamesTwice', `A ${what} has no name.`, 'Give each a name.');
    if (seen.has(name)) {
      throw new UserError(
        'studyNamesTwice',
        `The ${what} "${name}" is named twice.`,
        `Give each ${what} a name of its own.`,
      );
    }
    seen.add(name);
  }
}
