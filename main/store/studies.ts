import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import * as d from '../../shared/station/domain.ts';
import type { Database } from './database.ts';
import { newId } from './files.ts';

/** The plan of a study: what never changes once it has begun. */
export const studyBody = z
  .object({
    repeats: z.int(),
    parts: z.array(
      z.object({
        /** `P01`, `P02`, ...; appraisers see neither it nor anything else. */
        part: z.string(),
        sha256: d.sha256,
        className: z.string(),
        fileName: z.string(),
        gtLabel: z.enum(['pass', 'fail']),
        /** Who said what the part is. */
        labelledBy: z.string().nullable(),
      }),
    ),
    appraisers: z.array(
      z.object({
        name: z.string(),
        userId: z.string().nullable(),
        isModel: z.boolean(),
        /** Indices of `parts` in the order of showing, one repeat after the other. */
        order: z.array(z.int()),
      }),
    ),
    model: z.object({ id: d.id, version: z.int(), modelHash: d.sha256 }).nullable(),
  })
  .refine(
    ({ parts, repeats, appraisers }) =>
      appraisers.every(
        ({ order }) =>
          order.length === parts.length * repeats && order.every((index) => index >= 0 && index < parts.length),
      ),
    'an order names no part',
  );

export type StudyBody = z.infer<typeof studyBody>;
export type StudyState = 'running' | 'finished' | 'cancelled';

export interface StoredStudy extends StudyBody {
  id: string;
  projectId: string;
  name: string;
  createdAt: string;
  createdBy: string;
  state: StudyState;
  finishedAt: string | null;
}

export interface StoredAnswer {
  appraiser: string;
  /** Place in the appraiser's order, from 1. */
  position: number;
  answer: 'pass' | 'fail';
  by: string;
  at: string;
}

interface StudyRow {
  id: string;
  projectId: string;
  name: string;
  createdAt: string;
  createdBy: string;
  state: StudyState;
  finishedAt: string | null;
  body: string;
}

const columns = `id, project_id AS projectId, name, created_at AS createdAt, created_by AS createdBy, state,
  finished_at AS finishedAt, body`;

/** Attribute agreement studies. Answers are only ever added: the database refuses to change or remove one. */
export class StudyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add(study: Omit<StoredStudy, 'id' | 'state' | 'finishedAt'>): StoredStudy {
    const id = newId();
    const { projectId, name, createdAt, createdBy, ...plan } = study;
    this.#database.run(
      `INSERT INTO studies(id, project_id, name, created_at, created_by, state, body)
       VALUES (?, ?, ?, ?, ?, 'running', ?)`,
      id,
      projectId,
      name,
      createdAt,
      createdBy,
      JSON.stringify(studyBody.parse(plan)),
    );
    return this.get(id);
  }

  /** @throws UserError `studyUnknown` */
  get(studyId: string): StoredStudy {
    const row = this.#database.get<StudyRow>(`SELECT ${columns} FROM studies WHERE id = ?`, studyId);
    if (row === undefined) throw new UserError('studyUnknown', 'There is no such study.', 'Choose one of the list.');
    return studyOf(row);
  }

  /** Newest first. */
  list(projectId: string): StoredStudy[] {
    return this.#database
      .all<StudyRow>(`SELECT ${columns} FROM studies WHERE project_id = ? ORDER BY created_at DESC, id`, projectId)
      .map(studyOf);
  }

  running(): StoredStudy[] {
    return this.#database.all<StudyRow>(`SELECT ${columns} FROM studies WHERE state = 'running'`).map(studyOf);
  }

  end(studyId: string, state: 'finished' | 'cancelled', at: string): void {
    this.#database.run(
      "UPDATE studies SET state = ?, finished_at = ? WHERE id = ? AND state = 'running'",
      state,
      at,
      studyId,
    );
  }

  /** How many answers each appraiser has given. */
  counts(studyId: string): Map<string, number> {
    const rows = this.#database.all<{ appraiser: string; given: number }>(
      'SELECT appraiser, count(*) AS given FROM study_answers WHERE study_id = ? GROUP BY appraiser',
      studyId,
    );
    return new Map(rows.map(({ appraiser, given }) => [appraiser, given]));
  }

  answers(studyId: string): StoredAnswer[] {
    return this.#database.all<StoredAnswer>(
      'SELECT appraiser, position, answer, by, at FROM study_answers WHERE study_id = ? ORDER BY appraiser, position',
      studyId,
    );
  }

  addAnswer(studyId: string, { appraiser, position, answer, by, at }: StoredAnswer): void {
    this.#database.run(
      'INSERT INTO study_answers(study_id, appraiser, position, answer, by, at) VALUES (?, ?, ?, ?, ?, ?)',
      studyId,
      appraiser,
      position,
      answer,
      by,
      at,
    );
  }
}

function studyOf({ body: plan, ...row }: StudyRow): StoredStudy {
  return { ...row, ...studyBody.parse(JSON.parse(plan)) };
}
