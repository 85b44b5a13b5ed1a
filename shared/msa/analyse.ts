import { UserError } from '../errors.ts';
import { cohenKappa, fleissKappa, kappaWithInterval } from './kappa.ts';
import { studyNote, type StudyNote } from './notes.ts';
import { exactRate } from './rates.ts';
import type { Appraisal, AppraiserResult, Kappa, Rating, StudyAnswer, StudyPart, StudyResult } from './types.ts';

/** `table[appraiser][part][repeat]` */
type AnswerTable = Appraisal[][][];

const code = (answer: Appraisal): number => (answer === 'good' ? 1 : 0);
const isEvery = (answers: readonly Appraisal[], word: Appraisal): boolean => answers.every((answer) => answer === word);
const isSame = (answers: readonly Appraisal[]): boolean => isEvery(answers, answers[0]!);

/**
 * Attribute agreement study as AIAG's Measurement Systems Analysis (4th edition, chapter III C) does it: agreement
 * within, between and with the reference, kappas, effectiveness, misses and false alarms, each with its interval.
 * @param confidence of every interval, two-sided
 * @throws UserError `studyIncomplete` | `studyUnknownPart` | `studyTwice` | `studyTooSmall` naming the answer
 */
export function analyseStudy(
  parts: readonly StudyPart[],
  answers: readonly StudyAnswer[],
  confidence = 0.95,
): StudyResult {
  const appraisers = [...new Set(answers.map(({ appraiser }) => appraiser))];
  const repeats = answers.reduce((most, { repeat }) => Math.max(most, repeat), 0);
  if (parts.length < 2 || appraisers.length === 0) {
    throw new UserError(
      'studyTooSmall',
      'There are fewer than two parts or no answers.',
      'Give 20 to 50 parts and their answers.',
    );
  }
  const table = answerTable(parts, answers, appraisers, repeats);
  const references = parts.map(({ reference }) => reference);
  const defects = references.filter((reference) => reference === 'defect').length;
  const allAnswers = parts.map((_, part) => table.flatMap((ofAppraiser) => ofAppraiser[part]!));
  const pairs: StudyResult['pairs'] = [];
  appraisers.forEach((a, i) => {
    for (let j = i + 1; j < appraisers.length; j++) {
      pairs.push({ a, b: appraisers[j]!, kappa: pairKappa(table[i]!, table[j]!, confidence) });
    }
  });
  return {
    appraisers: appraisers.map((appraiser, i) => judgeAppraiser(appraiser, table[i]!, references, confidence)),
    pairs,
    fleiss: appraisers.length * repeats < 2 ? null : groupKappa(allAnswers, confidence),
    between: exactRate(allAnswers.filter(isSame).length, parts.length, confidence),
    system: exactRate(
      allAnswers.filter((given, part) => isEvery(given, references[part]!)).length,
      parts.length,
      confidence,
    ),
    parts: parts.length,
    defects,
    repeats,
    confidence,
    notes: limits(parts.length, defects, appraisers.length, repeats),
  };
}

function judgeAppraiser(
  appraiser: string,
  given: readonly Appraisal[][],
  references: readonly Appraisal[],
  confidence: number,
): AppraiserResult {
  const parts = references.length;
  const repeats = given[0]!.length;
  const showings = (reference: Appraisal): Appraisal[] =>
    given.filter((_, part) => references[part] === reference).flat();
  const wrong = (reference: Appraisal) => {
    const shown = showings(reference);
    return exactRate(shown.filter((answer) => answer !== reference).length, shown.length, confidence);
  };
  const constant = given.filter(isSame).length;
  const effectiveness = exactRate(
    given.filter((answers, part) => isEvery(answers, references[part]!)).length,
    parts,
    confidence,
  );
  const misses = wrong('defect');
  const falseAlarms = wrong('good');
  const reference = references.map((word) => Array.from({ length: repeats }, () => word));
  return {
    appraiser,
    within: exactRate(constant, parts, confidence),
    effectiveness,
    misses,
    falseAlarms,
    mixed: exactRate(parts - constant, parts, confidence),
    kappaReference: pairKappa(given, reference, confidence),
    kappaWithin: repeats < 2 ? null : groupKappa(given, confidence),
    rating: {
      effectiveness: rate(1 - (effectiveness.value ?? 0), 0.1, 0.2),
      misses: rate(misses.value ?? 1, 0.02, 0.05),
      falseAlarms: rate(falseAlarms.value ?? 1, 0.05, 0.1),
    },
  };
}

/** AIAG's table of criteria: effectiveness 90 % and 80 %, misses 2 % and 5 %, false alarms 5 % and 10 %. */
function rate(value: number, acceptable: number, marginal: number): Rating {
  // Shares such as 1 - 0.9 are a rounding away from the limit they are meant to meet.
  const slack = 1e-9;
  if (value <= acceptable + slack) return 'acceptable';
  return value <= marginal + slack ? 'marginal' : 'unacceptable';
}

function pairKappa(a: readonly Appraisal[][], b: readonly Appraisal[][], confidence: number): Kappa {
  return kappaWithInterval(
    a.length,
    (keep) =>
      cohenKappa(
        a.flatMap((answers, part) =>
          keep(part) ? answers.map((answer, i): [number, number] => [code(answer), code(b[part]![i]!)]) : [],
        ),
      ),
    confidence,
  );
}

function groupKappa(given: readonly Appraisal[][], confidence: number): Kappa {
  const counts = given.map((answers) => {
    const good = answers.filter((answer) => answer === 'good').length;
    return [answers.length - good, good];
  });
  return kappaWithInterval(given.length, (keep) => fleissKappa(counts.filter((_, part) => keep(part))), confidence);
}

function answerTable(
  parts: readonly StudyPart[],
  answers: readonly StudyAnswer[],
  appraisers: readonly string[],
  repeats: number,
): AnswerTable {
  const partIndex = new Map(parts.map(({ part }, i) => [part, i]));
  const found = new Map<string, Appraisal>();
  const keyOf = (appraiser: string, part: string, repeat: number): string => JSON.stringify([appraiser, part, repeat]);
  for (const { appraiser, part, repeat, answer } of answers) {
    if (!partIndex.has(part)) {
      throw new UserError(
        'studyUnknownPart',
        `"${part}" is not a part of the study.`,
        'Check its name in both tables.',
      );
    }
    const key = keyOf(appraiser, part, repeat);
    if (found.has(key)) {
      throw new UserError(
        'studyTwice',
        `${appraiser} has two answers for part "${part}", repeat ${String(repeat)}.`,
        'Remove the one that is wrong.',
      );
    }
    found.set(key, answer);
  }
  return appraisers.map((appraiser) =>
    parts.map(({ part }) =>
      Array.from({ length: repeats }, (_, i) => {
        const answer = found.get(keyOf(appraiser, part, i + 1));
        if (answer === undefined) {
          throw new UserError(
            'studyIncomplete',
            `${appraiser}'s answer for part "${part}", repeat ${String(i + 1)}, is missing.`,
            'Every appraiser must judge every part equally often.',
          );
        }
        return answer;
      }),
    ),
  );
}

function limits(parts: number, defects: number, appraisers: number, repeats: number): StudyNote[] {
  const notes: StudyNote[] = [];
  if (defects === 0) notes.push(studyNote('noDefects'));
  if (defects === parts) notes.push(studyNote('noGood'));
  if (parts < 20) notes.push(studyNote('fewParts', { parts }));
  const share = defects / parts;
  if (defects > 0 && defects < parts && (share < 0.25 || share > 0.75)) {
    notes.push(studyNote('oneSided', { percent: Math.round(100 * share) }));
  }
  if (appraisers < 2) notes.push(studyNote('oneAppraiser'));
  if (repeats < 2) notes.push(studyNote('oneRepeat'));
  return notes;
}
