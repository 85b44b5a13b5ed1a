import { z } from 'zod';
import type { UnknownClassCheck } from '../../shared/calibration/unknown-limit.ts';
import type { Thresholds } from '../../shared/detection.ts';
import { UserError } from '../../shared/errors.ts';
import { gateResult, type GateResult, trainingState, type TrainingState } from '../../shared/ipc/training.ts';
import { type ClassMetrics, type GateOverride, type StationModel, stationModel } from '../../shared/station/domain.ts';
import type { Database } from './database.ts';
import type { StationFiles } from './files.ts';
import type { NewModel, ThresholdChange } from './types.ts';

interface ModelRow {
  id: string;
  project_id: string;
  version: number;
  state: StationModel['state'];
  file_name: string;
  model_hash: string;
  snapshot_id: string;
  created_at: string;
  created_by: string;
  review: number;
  fail: number;
  basis: string;
  body: string;
}

/** What has no column of its own. */
const body = stationModel.pick({
  preset: true,
  classes: true,
  pictures: true,
  engine: true,
  trainingMs: true,
  metrics: true,
  parity: true,
  note: true,
  geometry: true,
  unknownClass: true,
  override: true,
});

/** Models, their gates and thresholds, and training runs. Per project at most one model is active and one previous. */
export class ModelStore {
  readonly #database: Database;
  readonly #files: StationFiles;

  constructor(database: Database, files: StationFiles) {
    this.#database = database;
    this.#files = files;
  }

  /** Adds a candidate with the project's next version. The package file must be in the `models` folder by now. */
  add(model: NewModel): StationModel {
    return this.#database.transaction(() => {
      const version =
        this.#database.value<number>(
          'SELECT coalesce(max(version), 0) + 1 FROM models WHERE project_id = ?',
          model.projectId,
        ) ?? 1;
      this.#database.run(
        `INSERT INTO models(id, project_id, version, state, file_name, model_hash, snapshot_id, created_at, created_by,
           review, fail, basis, body) VALUES (?, ?, ?, 'candidate', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        model.id,
        model.projectId,
        version,
        model.fileName,
        model.modelHash,
        model.snapshotId,
        model.createdAt,
        model.createdBy,
        model.thresholds.review,
        model.thresholds.fail,
        model.basis,
        JSON.stringify(body.parse(model)),
      );
      return this.get(model.id);
    });
  }

  /** Newest first. */
  list(projectId: string): StationModel[] {
    return this.#database
      .all<ModelRow>(
        'SELECT * FROM models WHERE project_id = ? AND removed_at IS NULL ORDER BY version DESC',
        projectId,
      )
      .map(modelOf);
  }

  find(modelId: string): StationModel | null {
    const row = this.#database.get<ModelRow>('SELECT * FROM models WHERE id = ?', modelId);
    return row === undefined ? null : modelOf(row);
  }

  /** @throws UserError `modelUnknown` */
  get(modelId: string): StationModel {
    const model = this.find(modelId);
    if (model === null)
      throw new UserError('modelUnknown', `There is no model "${modelId}".`, 'Choose one of the list.');
    return model;
  }

  active(projectId: string): StationModel | null {
    const row = this.#database.get<ModelRow>(
      "SELECT * FROM models WHERE project_id = ? AND state = 'active'",
      projectId,
    );
    return row === undefined ? null : modelOf(row);
  }

  /** Absolute path of the model's package. @throws UserError `modelUnknown` */
  path(modelId: string): string {
    const fileName = this.#database.value<string>('SELECT file_name FROM models WHERE id = ?', modelId);
    if (fileName === undefined)
      throw new UserError('modelUnknown', `There is no model "${modelId}".`, 'Choose one of the list.');
    return this.#files.modelPath(fileName);
  }

  /** The model judges from now on; the one that did becomes `previous`. All in one step. */
  activate(modelId: string): StationModel {
    return this.#database.transaction(() => {
      const { projectId, state } = this.get(modelId);
      if (state === 'active') return this.get(modelId);
      this.#setState(projectId, 'previous', 'retired');
      this.#setState(projectId, 'active', 'previous');
      this.#database.run("UPDATE models SET state = 'active', removed_at = NULL WHERE id = ?", modelId);
      return this.get(modelId);
    });
  }

  /**
   * The previous model judges again, and the one that did becomes `previous`.
   * @throws UserError `noPreviousModel`
   */
  rollback(projectId: string): StationModel {
    return this.#database.transaction(() => {
      const previous = this.#database.value<string>(
        "SELECT id FROM models WHERE project_id = ? AND state = 'previous'",
        projectId,
      );
      if (previous === undefined)
        throw new UserError('noPreviousModel', 'No model judged before this one.', 'Choose a model of the list.');
      this.#database.run("UPDATE models SET state = 'candidate' WHERE id = ?", previous);
      this.#setState(projectId, 'active', 'previous');
      this.#database.run("UPDATE models SET state = 'active' WHERE id = ?", previous);
      return this.get(previous);
    });
  }

  /**
   * Takes a model out of the list; its record stays, because parts name it.
   * @throws UserError `modelInUse` for the one that judges
   */
  remove(modelId: string, at: string): void {
    const { state, version } = this.get(modelId);
    if (state === 'active')
      throw new UserError('modelInUse', `Model v${version} is judging.`, 'Activate another model first.');
    this.#database.run("UPDATE models SET state = 'retired', removed_at = ? WHERE id = ?", at, modelId);
  }

  setUnknownClass(modelId: string, unknownClass: UnknownClassCheck): void {
    const model = this.get(modelId);
    this.#setBody(modelId, { ...model, unknownClass });
  }

  setMetrics(modelId: string, metrics: readonly ClassMetrics[]): void {
    const model = this.get(modelId);
    this.#setBody(modelId, { ...model, metrics: [...metrics] });
  }

  /** Keeps who let it through refused gates; null: no gate refuses it any more. */
  setOverride(modelId: string, override: GateOverride | null): void {
    const model = this.get(modelId);
    this.#setBody(modelId, { ...model, override });
  }

  setGates(modelId: string, gates: readonly GateResult[]): void {
    this.get(modelId);
    this.#database.run('UPDATE models SET gates = ? WHERE id = ?', JSON.stringify(gates), modelId);
  }

  gates(modelId: string): GateResult[] {
    this.get(modelId);
    const gates = this.#database.value<string>('SELECT gates FROM models WHERE id = ?', modelId);
    return z.array(gateResult).parse(JSON.parse(gates ?? '[]'));
  }

  /** Sets what the model decides by and keeps who, when and why; before the first change also what it was trained with. */
  applyThresholds(modelId: string, change: ThresholdChange): StationModel {
    return this.#database.transaction(() => {
      const { thresholds, basis, createdAt, createdBy } = this.get(modelId);
      if (this.thresholdHistory(modelId).length === 0) {
        this.#keepThresholds(modelId, { at: createdAt, by: createdBy, thresholds, basis, reason: '' });
      }
      const { review, fail } = change.thresholds;
      this.#database.run(
        'UPDATE models SET review = ?, fail = ?, basis = ? WHERE id = ?',
        review,
        fail,
        change.basis,
        modelId,
      );
      this.#keepThresholds(modelId, change);
      return this.get(modelId);
    });
  }

  #keepThresholds(modelId: string, { at, by, thresholds: { review, fail }, basis, reason }: ThresholdChange): void {
    this.#database.run(
      'INSERT INTO threshold_changes(model_id, at, by, review, fail, basis, reason) VALUES (?, ?, ?, ?, ?, ?, ?)',
      modelId,
      at,
      by,
      review,
      fail,
      basis,
      reason,
    );
  }

  /** Newest first; the last one, without a reason, is what the model was trained with. Empty: never changed. */
  thresholdHistory(modelId: string): ThresholdChange[] {
    const rows = this.#database.all<Thresholds & Omit<ThresholdChange, 'thresholds'>>(
      'SELECT at, by, review, fail, basis, reason FROM threshold_changes WHERE model_id = ? ORDER BY id DESC',
      modelId,
    );
    return rows.map(({ review, fail, ...row }) => ({ ...row, thresholds: { review, fail } }));
  }

  /** Keeps the state of a training run, so that it can be shown after a restart. */
  saveRun(state: TrainingState): void {
    this.#database.run(
      `INSERT INTO training_runs(id, project_id, seq, state)
       VALUES (?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM training_runs), ?)
       ON CONFLICT DO UPDATE SET state = excluded.state`,
      state.id,
      state.projectId,
      JSON.stringify(state),
    );
  }

  latestRun(projectId: string): TrainingState | null {
    const state = this.#database.value<string>(
      'SELECT state FROM training_runs WHERE project_id = ? ORDER BY seq DESC LIMIT 1',
      projectId,
    );
    return state === undefined ? null : trainingState.parse(JSON.parse(state));
  }

  #setBody(modelId: string, model: StationModel): void {
    this.#database.run('UPDATE models SET body = ? WHERE id = ?', JSON.stringify(body.parse(model)), modelId);
  }

  #setState(projectId: string, from: StationModel['state'], to: StationModel['state']): void {
    this.#database.run('UPDATE models SET state = ? WHERE project_id = ? AND state = ?', to, projectId, from);
  }
}

function modelOf(row: ModelRow): StationModel {
  return {
    id: row.id,
    projectId: row.project_id,
    version: row.version,
    state: row.state,
    modelHash: row.model_hash,
    snapshotId: row.snapshot_id,
    createdAt: row.created_at,
    createdBy: row.created_by,
    thresholds: { review: row.review, fail: row.fail },
    basis: row.basis,
    ...body.parse(JSON.parse(row.body)),
  };
}
