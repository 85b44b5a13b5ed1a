import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { recipe as recipeSchema, region } from '../../shared/station/domain.ts';
import { z } from 'zod';
import { isConstraintError, type SqlValue } from '../store/database.ts';
import { newId } from '../store/files.ts';
import { groupsOf } from '../store/part-groups.ts';
import { beingImported } from '../store/projects.ts';
import { fillGeometry } from '../store/schema.ts';
import { studyBody } from '../store/studies.ts';
import type { StationContext } from './context.ts';
import { type Complain, linesOf } from './project-archive-lines.ts';
import { type ArchiveRow, type ArchiveTable, archiveTableNames, archiveTables } from './project-archive-tables.ts';

const rowsPerTransaction = 500;
const longestLine = 16 * 2 ** 20;

/** What the archive's files are called here. */
export interface ImportedIds {
  projectId: string;
  /** Name in the archive -> absolute path. */
  modelFiles: Map<string, string>;
  /** Absolute path for a part's number in the archive. */
  heatMaps(partId: string): string | undefined;
}

/** Reads the unpacked tables of an archive into a new project that is in no list yet. */
export async function readProjectTables(
  context: StationContext,
  folder: string,
  complain: Complain,
): Promise<ImportedIds> {
  const reader = new RowReader(context, complain);
  try {
    for (const table of archiveTableNames) {
      const path = join(folder, `${table}.jsonl`);
      if (!existsSync(path)) {
        if (table === 'projects') throw complain('archiveDamaged', 'the project itself is missing');
        continue;
      }
      let block: string[] = [];
      for await (const line of linesOf(path, longestLine, complain)) {
        block.push(line);
        if (block.length < rowsPerTransaction) continue;
        reader.take(table, block);
        block = [];
      }
      reader.take(table, block);
    }
    return reader.finish();
  } catch (error) {
    reader.giveUp();
    throw error;
  }
}

class RowReader {
  readonly #context: StationContext;
  readonly #complain: Complain;
  #projectId: string | undefined;
  readonly #keys = new Map<string, string>();
  readonly #labels = new Map<number, number>();
  readonly #parts = new Map<number, number>();
  readonly #modelFiles = new Map<string, string>();

  constructor(context: StationContext, complain: Complain) {
    this.#context = context;
    this.#complain = complain;
  }

  take(table: ArchiveTable, rows: readonly string[]): void {
    try {
      this.#context.store.transaction(() => {
        for (const line of rows) this.#takeRow(table, line);
      });
    } catch (error) {
      if (
        error instanceof BadRow ||
        error instanceof z.ZodError ||
        error instanceof SyntaxError ||
        isConstraintError(error)
      )
        throw this.#complain('archiveDamaged', `a row of "${table}" makes no sense (${(error as Error).message})`);
      throw error;
    }
  }

  /** What was read so far is no project's; cleaning takes its pictures. */
  giveUp(): void {
    if (this.#projectId === undefined) return;
    this.#context.store.database.run(
      'UPDATE projects SET removed_at = ? WHERE id = ?',
      new Date(0).toISOString(),
      this.#projectId,
    );
  }

  finish(): ImportedIds {
    if (this.#projectId === undefined) throw this.#complain('archiveDamaged', 'the project itself is missing');
    const { store } = this.#context;
    const projectId = this.#projectId;
    store.transaction(() => {
      for (const { sha256 } of store.database.all<{ sha256: string }>(
        'SELECT DISTINCT sha256 FROM labels WHERE project_id = ?',
        projectId,
      ))
        store.labels.refresh(projectId, sha256);
      for (const { part_id: partId } of store.database.all<{ part_id: number }>(
        'SELECT DISTINCT part_id FROM person_answers WHERE project_id = ?',
        projectId,
      ))
        store.parts.refreshAnswer(partId);
    });
    const modelFiles = new Map([...this.#modelFiles].map(([old, name]) => [old, store.files.modelPath(name)]));
    return {
      projectId,
      modelFiles,
      heatMaps: (old) => {
        const partId = this.#parts.get(Number(old));
        return partId === undefined ? undefined : store.files.heatMapPath(partId);
      },
    };
  }

  #takeRow(table: ArchiveTable, line: string): void {
    const parsed = archiveTables[table].safeParse(parseJson(line));
    if (!parsed.success) throw new BadRow(parsed.error.issues[0]?.message ?? 'not as expected');
    const row = parsed.data;
    if (table === 'projects') this.#takeProject(row as ArchiveRow<'projects'>);
    else if (this.#projectId === undefined) throw new BadRow('it comes before the project');
    else this.#takers[table](row as never, this.#projectId);
  }

  #takeProject(row: ArchiveRow<'projects'>): void {
    if (this.#projectId !== undefined) throw new BadRow('there are two projects');
    this.#projectId = newId();
    this.#insert('projects', {
      id: this.#projectId,
      name: row.name.slice(0, 120),
      note: row.note.slice(0, 4000),
      created_at: row.created_at,
      px_per_mm: row.px_per_mm !== null && row.px_per_mm > 0 ? row.px_per_mm : null,
      removed_at: beingImported,
    });
  }

  readonly #takers: { [T in Exclude<ArchiveTable, 'projects'>]: (row: ArchiveRow<T>, projectId: string) => void } = {
    classes: (row, project_id) => {
      this.#insert('classes', { ...row, id: this.#newKey(row.id), project_id });
    },
    pictures: (row) => {
      this.#insert('pictures', row, 'OR IGNORE');
      // The station may have known the picture without its file.
      if (row.file_removed_at === null)
        this.#context.store.database.run('UPDATE pictures SET file_removed_at = NULL WHERE sha256 = ?', row.sha256);
    },
    labels: ({ id, ...row }, project_id) => {
      if (!z.array(region).safeParse(parseJson(row.regions)).success) throw new BadRow('a region is none');
      const replaces = row.replaces === null ? null : (this.#labels.get(row.replaces) ?? null);
      this.#labels.set(id, this.#insert('labels', { ...row, replaces, project_id }));
    },
    label_withdrawals: ({ label_id, ...row }) => {
      this.#insert('label_withdrawals', { ...row, label_id: this.#labels.get(label_id) ?? missing('label') });
    },
    project_pictures: ({ class_id, ...row }, project_id) => {
      this.#insert('project_pictures', { ...row, class_id: this.#knownKey(class_id), project_id });
    },
    recipes: (row, project_id) => {
      const id = this.#newKey(row.id);
      const body = recipeSchema.safeParse({ ...(parseJson(row.body) as object), id, projectId: project_id });
      if (!body.success) throw new BadRow('a recipe is none');
      this.#insert('recipes', { ...row, id, project_id, body: JSON.stringify(body.data) });
    },
    snapshots: (row, project_id) => {
      this.#insert('snapshots', { ...row, id: this.#newKey(row.id), project_id });
    },
    snapshot_pictures: ({ snapshot_id, ...row }) => {
      this.#insert('snapshot_pictures', { ...row, snapshot_id: this.#knownKey(snapshot_id) ?? missing('snapshot') });
    },
    models: (row, project_id) => {
      const id = this.#newKey(row.id);
      const file_name = `${id}.twin`;
      this.#modelFiles.set(row.file_name, file_name);
      const snapshot_id = this.#keys.get(row.snapshot_id) ?? row.snapshot_id;
      this.#insert('models', { ...row, id, project_id, file_name, snapshot_id });
      // Archives of before don't say what a model looks at; recipes come first.
      this.#context.store.database.exec(fillGeometry);
      // Throws when its body is not as it should be.
      this.#context.store.models.get(id);
    },
    threshold_changes: ({ model_id, ...row }) => {
      this.#insert('threshold_changes', { ...row, model_id: this.#knownKey(model_id) ?? missing('model') });
    },
    picture_scores: ({ model_id, ...row }) => {
      this.#insert('picture_scores', { ...row, model_id: this.#knownKey(model_id) ?? missing('model') });
    },
    studies: (row, project_id) => {
      const plan = studyBody.safeParse(parseJson(row.body));
      if (!plan.success) throw new BadRow('a study is none');
      const { model, appraisers } = plan.data;
      const body = {
        ...plan.data,
        model: model === null ? null : { ...model, id: this.#keys.get(model.id) ?? model.id },
        // Accounts are the other station's.
        appraisers: appraisers.map((appraiser) => ({ ...appraiser, userId: null })),
      };
      this.#insert('studies', { ...row, id: this.#newKey(row.id), project_id, body: JSON.stringify(body) });
    },
    study_answers: ({ study_id, ...row }) => {
      this.#insert('study_answers', { ...row, study_id: this.#knownKey(study_id) ?? missing('study') });
    },
    parts: ({ id, ...row }, projectId) => {
      const { lot, station, verdict } = row;
      const key = {
        projectId,
        lot,
        className: row.class_name,
        station,
        verdict,
        personVerdict: null,
        defectClass: null,
      };
      const { groupId, lotGroupId } = groupsOf(this.#context.store.database, key);
      const model_id = row.model_id === null ? null : (this.#keys.get(row.model_id) ?? row.model_id);
      const values = { ...row, model_id, project_id: projectId, group_id: groupId, lot_group_id: lotGroupId, told: 1 };
      this.#parts.set(id, this.#insert('parts', values));
    },
    person_answers: ({ part_id, label_id, ...row }, project_id) => {
      this.#insert('person_answers', {
        ...row,
        project_id,
        part_id: this.#parts.get(part_id) ?? missing('part'),
        label_id: label_id === null ? null : (this.#labels.get(label_id) ?? null),
      });
    },
  };

  #newKey(old: string): string {
    const id = newId();
    this.#keys.set(old, id);
    return id;
  }

  #knownKey(old: string | null): string | null {
    return old === null ? null : (this.#keys.get(old) ?? missing('id'));
  }

  #insert(table: string, row: Readonly<Record<string, SqlValue>>, or = ''): number {
    const columns = Object.keys(row);
    const sql = `INSERT ${or} INTO ${table}(${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
    return this.#context.store.database.run(sql, ...Object.values(row)).lastId;
  }
}

/** A row that can't be taken; the archive is refused for it. */
class BadRow extends Error {}

function missing(what: string): never {
  throw new BadRow(`it names a ${what} that is not in the archive`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadRow('not JSON');
  }
}
