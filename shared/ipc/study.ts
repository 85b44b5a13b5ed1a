import { z } from 'zod';
import * as d from '../station/domain.ts';
import { command, query } from './channel.ts';

const share = z.number().nullable();

/** As `ExactRate` of `shared/msa/types.ts`. */
const exactRate = z.object({ count: z.int(), total: z.int(), value: share, low: z.number(), high: z.number() });
const kappa = z.object({
  value: share,
  low: share,
  high: share,
  method: z.enum(['jackknife', 'exactAgreement', 'none']),
  observed: z.number(),
  expected: z.number(),
});
const rating = z.enum(['acceptable', 'marginal', 'unacceptable']);

/** As `StudyResult` of `shared/msa/types.ts`. */
export const studyResult = z.object({
  appraisers: z.array(
    z.object({
      appraiser: d.shortText,
      within: exactRate,
      effectiveness: exactRate,
      misses: exactRate,
      falseAlarms: exactRate,
      mixed: exactRate,
      kappaReference: kappa,
      kappaWithin: kappa.nullable(),
      rating: z.object({ effectiveness: rating, misses: rating, falseAlarms: rating }),
    }),
  ),
  pairs: z.array(z.object({ a: d.shortText, b: d.shortText, kappa })),
  fleiss: kappa.nullable(),
  between: exactRate,
  system: exactRate,
  parts: z.int(),
  defects: z.int(),
  repeats: z.int(),
  confidence: z.number(),
  notes: z.array(
    z.object({
      key: z.enum([
        'noDefects',
        'noGood',
        'fewParts',
        'oneSided',
        'oneAppraiser',
        'oneRepeat',
        'modelReview',
        'samePicture',
        'ownReference',
      ]),
      params: z.record(z.string(), z.union([z.number(), z.string()])),
      text: z.string(),
    }),
  ),
});

/** Who judges in a study: a person of the station's list, a person by name, or the model. */
export const studyAppraiser = z.object({
  name: d.name,
  /** With accounts: whose answers count. */
  userId: d.id.nullable(),
  isModel: z.boolean(),
  done: z.int(),
  total: z.int(),
});

export const study = z.object({
  id: d.id,
  projectId: d.id,
  name: d.name,
  createdAt: d.isoTime,
  createdBy: d.shortText,
  state: z.enum(['running', 'finished', 'cancelled']),
  finishedAt: d.isoTime.nullable(),
  parts: z.int(),
  defects: z.int(),
  repeats: z.int(),
  appraisers: z.array(studyAppraiser),
  /** The model that takes part. */
  model: z.object({ id: d.id, version: z.int(), modelHash: d.sha256 }).nullable(),
  /** Why the model has not judged, in words; null: it has, does, or takes no part. */
  modelProblem: z.string().nullable(),
});
export type Study = z.infer<typeof study>;

/** What an appraiser is shown next: a picture and how far it is, nothing else. `sha256` null: all is judged. */
export const studyShowing = z.object({ position: z.int(), total: z.int(), sha256: d.sha256.nullable() });
export type StudyShowing = z.infer<typeof studyShowing>;

const counted = z.object({ good: z.int(), defects: z.int() });
const inStudy = z.object({ studyId: d.id });
const judging = z.object({ studyId: d.id, appraiser: d.name });

/** Attribute agreement studies: people and the model judge the same parts, blind and shuffled. */
export const studyChannels = {
  /** Pictures with known truth that a study can take its parts from. */
  'study.material': query(
    'engineer',
    z.object({ projectId: d.id, modelId: d.id.nullable() }),
    z.object({ golden: counted, labelled: counted }),
  ),
  'study.start': command(
    'engineer',
    z.object({
      projectId: d.id,
      name: d.name,
      source: z.enum(['golden', 'labelled']),
      good: z.int().min(0).max(500),
      defects: z.int().min(0).max(500),
      repeats: z.int().min(1).max(5),
      appraisers: z.array(z.object({ name: d.name, userId: d.id.nullable() })).max(5),
      modelId: d.id.nullable(),
    }),
    study,
  ),
  'study.list': query('engineer', z.object({ projectId: d.id }), z.array(study)),
  /** Running studies in which the caller has parts to judge. */
  'study.mine': query(
    'operator',
    z.object({ projectId: d.id }),
    z.array(z.object({ studyId: d.id, name: d.name, appraiser: d.name, done: z.int(), total: z.int() })),
  ),
  'study.next': query('operator', judging, studyShowing),
  /** Durable when it returns. Only the showing that is due is taken, once. */
  'study.answer': command(
    'operator',
    judging.extend({ position: z.int().min(1), answer: z.enum(['pass', 'fail']) }),
    studyShowing,
  ),
  /** Lets the model judge (again) where it could not. */
  'study.modelJudges': command('engineer', inStudy, study),
  'study.cancel': command('engineer', inStudy, study),
  /** Only of a finished study: nobody who still judges may see what others said. */
  'study.results': query(
    'engineer',
    inStudy,
    z.object({
      study,
      result: studyResult,
      /** Parts that not everybody judged right every time, worst first. */
      disagreements: z.array(
        z.object({
          part: d.shortText,
          sha256: d.sha256,
          className: d.shortText,
          reference: z.enum(['pass', 'fail']),
          wrong: z.int(),
          answers: z.array(z.object({ appraiser: d.shortText, given: z.array(z.enum(['pass', 'fail'])) })),
        }),
      ),
    }),
  ),
  /** Writes the answers as CSV, and the parts beside them, as `twinspect msa analyse` reads them. */
  'study.export': command(
    'engineer',
    inStudy.extend({ path: d.filePath }),
    z.object({ path: z.string(), partsPath: z.string() }),
  ),
  /** PDF, or HTML where the path ends in `.html`. */
  'reports.study': command(
    'engineer',
    inStudy.extend({ path: d.filePath }),
    z.object({ path: z.string(), pages: z.int() }),
  ),
};
