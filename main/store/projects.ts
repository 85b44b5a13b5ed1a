import { UserError } from '../../shared/errors.ts';
import { type PartClass, type Project, type Recipe, recipe as recipeSchema } from '../../shared/station/domain.ts';
import type { Database } from './database.ts';
import { newId } from './files.ts';

/** Stands in `removed_at` while a project is being read from an archive: it's in no list yet. */
export const beingImported = 'importing';

interface ProjectRow {
  id: string;
  name: string;
  note: string;
  created_at: string;
  px_per_mm: number | null;
  sample: number;
  active: string | null;
  previous: string | null;
}

const selectProject = `SELECT id, name, note, created_at, px_per_mm, sample,
  (SELECT m.id FROM models m WHERE m.project_id = projects.id AND m.state = 'active') AS active,
  (SELECT m.id FROM models m WHERE m.project_id = projects.id AND m.state = 'previous') AS previous
  FROM projects`;
const picturesOf = (condition: string): string =>
  `(SELECT count(*) FROM project_pictures p WHERE p.project_id = c.project_id AND p.class_id = c.id AND ${condition})`;
const selectClass = `SELECT id, project_id AS projectId, name,
  ${picturesOf("p.use = 'normal'")} AS normalPictures,
  ${picturesOf("p.use = 'calibration'")} AS calibrationPictures,
  ${picturesOf("p.use = 'golden'")} AS goldenPictures,
  ${picturesOf("p.use = 'golden' AND p.gt_label = 'fail'")} AS goldenDefects
  FROM classes c`;

/** Projects and their classes. What is removed disappears from the lists and stays in the records. */
export class ProjectStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(): Project[] {
    return this.#database
      .all<ProjectRow>(`${selectProject} WHERE removed_at IS NULL ORDER BY created_at, id`)
      .map(projectOf);
  }

  find(projectId: string): Project | null {
    const row = this.#database.get<ProjectRow>(`${selectProject} WHERE id = ? AND removed_at IS NULL`, projectId);
    return row === undefined ? null : projectOf(row);
  }

  /** @throws UserError `projectUnknown` */
  get(projectId: string): Project {
    const project = this.find(projectId);
    if (project === null)
      throw new UserError('projectUnknown', `There is no project "${projectId}".`, 'Choose one of the list.');
    return project;
  }

  create(project: {
    name: string;
    note: string;
    createdAt: string;
    sample?: boolean;
    pxPerMm?: number | null;
  }): Project {
    const id = newId();
    this.#database.run(
      'INSERT INTO projects(id, name, note, created_at, px_per_mm, sample) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      project.name,
      project.note,
      project.createdAt,
      project.pxPerMm ?? null,
      project.sample === true ? 1 : 0,
    );
    return this.get(id);
  }

  update(projectId: string, change: { name: string; note: string; pxPerMm: number | null }): Project {
    this.get(projectId);
    this.#database.run(
      'UPDATE projects SET name = ?, note = ?, px_per_mm = ? WHERE id = ?',
      change.name,
      change.note,
      change.pxPerMm,
      projectId,
    );
    return this.get(projectId);
  }

  remove(projectId: string, at: string): void {
    this.get(projectId);
    this.#database.run('UPDATE projects SET removed_at = ? WHERE id = ?', at, projectId);
  }

  classes(projectId: string): PartClass[] {
    return this.#database.all<PartClass>(
      `${selectClass} WHERE project_id = ? AND removed_at IS NULL ORDER BY name`,
      projectId,
    );
  }

  /** @throws UserError `classUnknown` */
  getClass(classId: string): PartClass {
    const found = this.#database.get<PartClass>(`${selectClass} WHERE id = ? AND removed_at IS NULL`, classId);
    if (found === undefined)
      throw new UserError('classUnknown', `There is no class "${classId}".`, 'Choose one of the list.');
    return found;
  }

  findClass(projectId: string, name: string): PartClass | null {
    const sql = `${selectClass} WHERE project_id = ? AND name = ? AND removed_at IS NULL`;
    return this.#database.get<PartClass>(sql, projectId, name.normalize('NFC')) ?? null;
  }

  /** @throws UserError `classExists` */
  createClass(projectId: string, name: string): PartClass {
    this.get(projectId);
    const composed = name.normalize('NFC');
    this.#checkFree(projectId, composed);
    const id = newId();
    this.#database.run('INSERT INTO classes(id, project_id, name) VALUES (?, ?, ?)', id, projectId, composed);
    return this.getClass(id);
  }

  /** @throws UserError `classExists`, `classUnknown` */
  renameClass(classId: string, name: string): PartClass {
    const { projectId, name: old } = this.getClass(classId);
    const composed = name.normalize('NFC');
    if (composed !== old) this.#checkFree(projectId, composed);
    this.#database.run('UPDATE classes SET name = ? WHERE id = ?', composed, classId);
    return this.getClass(classId);
  }

  /** Its pictures stay in the project, without a class. */
  removeClass(classId: string, at: string): void {
    this.getClass(classId);
    this.#database.transaction(() => {
      this.#database.run('UPDATE classes SET removed_at = ? WHERE id = ?', at, classId);
      this.#database.run('UPDATE project_pictures SET class_id = NULL WHERE class_id = ?', classId);
    });
  }

  #checkFree(projectId: string, name: string): void {
    if (this.findClass(projectId, name) !== null)
      throw new UserError('classExists', `The project has a class "${name}" already.`, 'Choose another name.');
  }
}

function projectOf(row: ProjectRow): Project {
  return {
    id: row.id,
    name: row.name,
    note: row.note,
    createdAt: row.created_at,
    activeModelId: row.active,
    previousModelId: row.previous,
    pxPerMm: row.px_per_mm,
    sample: row.sample === 1,
  };
}

/** What the station runs for each project. */
export class RecipeStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(projectId: string): Recipe[] {
    return this.#database
      .all<{ body: string }>(
        'SELECT body FROM recipes WHERE project_id = ? AND removed_at IS NULL ORDER BY updated_at DESC, id',
        projectId,
      )
      .map(({ body }) => recipeSchema.parse(JSON.parse(body)));
  }

  /** @throws UserError `recipeUnknown` */
  get(recipeId: string): Recipe {
    const body = this.#database.value<string>('SELECT body FROM recipes WHERE id = ? AND removed_at IS NULL', recipeId);
    if (body === undefined)
      throw new UserError('recipeUnknown', `There is no recipe "${recipeId}".`, 'Choose one of the list.');
    return recipeSchema.parse(JSON.parse(body));
  }

  /** A new one when `id` is null. */
  save(given: Omit<Recipe, 'id'> & { id: string | null }): Recipe {
    if (given.id !== null && this.get(given.id).projectId !== given.projectId)
      throw new UserError('recipeUnknown', 'The recipe belongs to another project.', 'Choose one of the list.');
    const recipe: Recipe = { ...given, id: given.id ?? newId() };
    this.#database.run(
      `INSERT INTO recipes(id, project_id, body, updated_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at`,
      recipe.id,
      recipe.projectId,
      JSON.stringify(recipe),
      recipe.updatedAt,
    );
    return recipe;
  }

  remove(recipeId: string, at: string): void {
    this.get(recipeId);
    this.#database.run('UPDATE recipes SET removed_at = ? WHERE id = ?', at, recipeId);
  }
}
