import { analyseStudy } from '../../shared/msa/analyse.ts';
import { studyNote, type StudyNote } from '../../shared/msa/notes.ts';
import type { StudyResult } from '../../shared/msa/types.ts';
import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import { answerTable, partTable } from '../msa/study-tables.ts';
import type { StoredAnswer, StoredStudy } from '../store/studies.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';
import type { StationContext } from './context.ts';

type Results = ChannelOutput<'study.results'>;

interface Given {
  appraiser: string;
  /** Index of the part. */
  index: number;
  repeat: number;
  answer: 'pass' | 'fail';
  by: string;
  at: string;
}

const word = (answer: 'pass' | 'fail'): 'good' | 'defect' => (answer === 'pass' ? 'good' : 'defect');

/** The figures of a finished study and the parts that not everybody judged right every time. */
export function resultsOf(
  study: StoredStudy,
  answers: readonly StoredAnswer[],
): { result: StudyResult; disagreements: Results['disagreements'] } {
  const given = givenAnswers(study, answers);
  const result = analyseStudy(
    study.parts.map(({ part, gtLabel }) => ({ part, reference: word(gtLabel) })),
    given.map(({ appraiser, index, repeat, answer }) => ({
      appraiser,
      part: study.parts[index]!.part,
      repeat,
      answer: word(answer),
    })),
  );
  return {
    result: { ...result, notes: [...result.notes, ...stationNotes(study)] },
    disagreements: study.parts
      .map(({ part, sha256, className, gtLabel }, index) => {
        const own = given.filter((one) => one.index === index);
        return {
          part,
          sha256,
          className,
          reference: gtLabel,
          wrong: own.filter(({ answer }) => answer !== gtLabel).length,
          answers: study.appraisers.map(({ name }) => ({
            appraiser: name,
            given: own.filter(({ appraiser }) => appraiser === name).map(({ answer }) => answer),
          })),
        };
      })
      .filter(({ wrong }) => wrong > 0)
      .sort((a, b) => b.wrong - a.wrong || (a.part < b.part ? -1 : 1)),
  };
}

/** Writes what people and model answered, and beside it what the parts are, as the command line reads them. */
export async function exportStudy(
  { store }: StationContext,
  study: StoredStudy,
  path: string,
): Promise<{ path: string; partsPath: string }> {
  const partsPath = `${path.replace(/\.csv$/i, '')}-parts.csv`;
  const given = givenAnswers(study, store.studies.answers(study.id));
  await writeFileAtomic(
    path,
    answerTable(
      given.map(({ appraiser, index, repeat, answer, by, at }) => ({
        appraiser,
        part: study.parts[index]!.part,
        repeat,
        answer: word(answer),
        by,
        at,
      })),
    ),
  );
  await writeFileAtomic(
    partsPath,
    partTable(
      study.parts.map(({ part, gtLabel, sha256, className }) => ({
        part,
        reference: word(gtLabel),
        pictures: [store.pictures.path(sha256) ?? ''],
        sha256,
        className,
      })),
    ),
  );
  return { path, partsPath };
}

/** Appraiser by appraiser as planned, each repeat by repeat. */
function givenAnswers({ parts, appraisers }: StoredStudy, answers: readonly StoredAnswer[]): Given[] {
  return appraisers.flatMap(({ name, order }) =>
    answers
      .filter(({ appraiser, position }) => appraiser === name && position >= 1 && position <= order.length)
      .sort((a, b) => a.position - b.position)
      .map(({ position, answer, by, at }) => ({
        appraiser: name,
        index: order[position - 1]!,
        repeat: Math.floor((position - 1) / parts.length) + 1,
        answer,
        by,
        at,
      })),
  );
}

function stationNotes({ model, repeats, parts, appraisers }: StoredStudy): StudyNote[] {
  const notes: StudyNote[] = [];
  if (model !== null) {
    notes.push(studyNote('modelReview'));
    if (repeats > 1) notes.push(studyNote('samePicture'));
  }
  for (const { name } of appraisers) {
    const own = parts.filter(({ labelledBy }) => labelledBy === name).length;
    if (own > 0) notes.push(studyNote('ownReference', { parts: own, appraiser: name }));
  }
  return notes;
}
