import { rm } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { UserError } from '../../shared/errors.ts';
import { fewestForUnknown, packagedUnknownClass, unknownClassOf } from '../../shared/calibration/unknown-limit.ts';
import type { GateResult } from '../../shared/ipc/training.ts';
import type { StationModel } from '../../shared/station/domain.ts';
import { checkFusedGraph } from '../detector/check-graph.ts';
import type { RecipeGeometry } from '../feeds/recipe-geometry.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import { originalSha256 } from '../package/original-picture.ts';
import { readPackage, type ModelPackage } from '../package/read-package.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';
import { newId } from '../store/files.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import type { FeedService } from './feed.ts';
import { goldenPictures, goodUnseenPictures, metricsOf, type JudgedScore } from './golden.ts';
import { checkGates } from './model-gates.ts';
import { projectGeometry } from './model-geometry.ts';
import type { ShadowHandlers } from './shadow.ts';
import { checkSecret, signedDetails, type IsSecretOf } from './sign.ts';

export interface ModelParts {
  feeds: Pick<FeedService, 'score' | 'scoreWith' | 'cancelScoring' | 'modelChanged'>;
  /** Whether a secret is the caller's own; default: nobody has to sign. */
  isSecretOf?: IsSecretOf;
}

/** What a package doesn't say of itself. */
export interface ModelOrigin {
  snapshotId: string;
  createdBy: string;
  trainingMs: number;
  geometry: RecipeGeometry;
  note: string;
}

/** Roles that may let a refused model through. */
const overriders = ['quality', 'administrator'];
const shortestReason = 10;

/** The project's models: in, out, through the gates to the line, and back. */
export class ModelService {
  readonly #context: StationContext;
  readonly #parts: ModelParts;

  constructor(context: StationContext, parts: ModelParts) {
    this.#context = context;
    this.#parts = parts;
  }

  readonly handlers: Omit<HandlersOf<'models'>, keyof ShadowHandlers> = {
    'models.list': ({ projectId }) => this.#context.store.models.list(projectId),
    'models.import': ({ projectId, path }, caller) => this.#import(projectId, path, caller),
    'models.export': async ({ modelId, path }, caller) => {
      const from = this.#context.store.models.path(modelId);
      await writeFileAtomic(path, createReadStream(from) as AsyncIterable<Uint8Array>);
      record(this.#context, caller, 'data.exported', modelId, { what: 'model', path });
      return {};
    },
    'models.gates': ({ modelId }) => this.gates(modelId),
    'models.activate': ({ modelId, override, secret }, caller) => this.activate(modelId, caller, override, secret),
    'models.rollback': ({ projectId, reason, secret }, caller) => this.#rollback(projectId, reason, secret, caller),
    'models.remove': ({ modelId }, caller) => {
      const { store } = this.#context;
      const { projectId, modelHash, version } = store.models.get(modelId);
      store.transaction(() => {
        store.models.remove(modelId, this.#context.now());
        record(this.#context, caller, 'model.removed', modelHash, { projectId, version });
      });
      this.#context.emit({ type: 'models', projectId });
      return {};
    },
    'models.cancelScoring': async ({ modelId }) => {
      await this.#parts.feeds.cancelScoring(modelId);
      return {};
    },
  };

  /** Gates of a model against the one that is active now. */
  async gates(modelId: string): Promise<GateResult[]> {
    const model = this.#context.store.models.get(modelId);
    const gates = await checkGates(this.#context, this.#parts.feeds, model);
    await this.#lookAgain(model);
    return gates;
  }

  /** Whether parts of unknown classes can be recognised by now: good pictures may have come after the model. */
  async #lookAgain(model: StationModel): Promise<void> {
    const { store } = this.#context;
    const { id, projectId, snapshotId } = model;
    if (model.unknownClass?.limit) return;
    const golden = goldenPictures(this.#context, projectId).filter(({ gtLabel }) => gtLabel === 'pass');
    const calibration = store.pictures.forTraining(projectId, ['calibration']);
    if (golden.length + calibration.length < fewestForUnknown) return;
    const found = await readPackage(store.models.path(id), { checkGraph: checkFusedGraph });
    const good = goodUnseenPictures(this.#context, projectId, this.#learned(found, snapshotId), golden);
    const pictures = [...golden.filter(({ sha256 }) => good.all.has(sha256)), ...good.others];
    if (pictures.length < fewestForUnknown) return;
    const unknownClass = unknownClassOf(await this.#parts.feeds.score(model, pictures));
    store.models.setUnknownClass(id, unknownClass);
    if (store.models.get(id).state === 'active') await this.#changed(projectId);
  }

  /**
   * Takes a package into the project as a candidate: checked, scored on the golden set, moved into the station.
   * @throws UserError when the package is damaged or foreign
   */
  async add(projectId: string, packagePath: string, origin: ModelOrigin, move: boolean): Promise<StationModel> {
    const { store } = this.#context;
    const found = await readPackage(packagePath, { checkGraph: checkFusedGraph });
    const id = newId();
    const fileName = `${id}.twin`;
    const path = store.files.modelPath(fileName);
    await writeFileAtomic(path, createReadStream(packagePath) as AsyncIterable<Uint8Array>);
    try {
      const golden = goldenPictures(this.#context, projectId);
      const good = goodUnseenPictures(this.#context, projectId, this.#learned(found, origin.snapshotId), golden);
      const { geometry } = origin;
      const use = { modelId: id, path, modelHash: found.modelHash, thresholds: null, geometry };
      const scored = await this.#parts.feeds.scoreWith(use, [...golden, ...good.others]);
      const scores = new Map(
        scored.map(({ sha256, predScore, verdict }): [string, JudgedScore] => [
          sha256,
          { predScore: predScore ?? NaN, verdict },
        ]),
      );
      const model = store.transaction(() => {
        const added = store.models.add({
          ...factsOf(found),
          id,
          projectId,
          fileName,
          snapshotId: origin.snapshotId,
          createdAt: this.#context.now(),
          createdBy: origin.createdBy,
          trainingMs: origin.trainingMs,
          metrics: metricsOf(golden, scores),
          note: origin.note,
          geometry,
          unknownClass:
            packagedUnknownClass(found.calibration) ??
            unknownClassOf(scored.filter(({ sha256 }) => good.all.has(sha256))),
        });
        store.pictures.setScores(id, scored);
        return added;
      });
      if (move) await rm(packagePath, { force: true });
      this.#context.emit({ type: 'models', projectId });
      return model;
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  /**
   * Takes a model into use when all gates let it through, or a person answers for it.
   * @throws UserError `signatureRefused`, `overrideRole`, `overrideReason`
   */
  async activate(
    modelId: string,
    caller: Caller,
    override: { reason: string } | null,
    secret: string | null,
  ): Promise<{ activated: boolean; gates: GateResult[] }> {
    const { store } = this.#context;
    const model = store.models.get(modelId);
    await checkSecret(this.#context, caller, secret, this.#parts.isSecretOf, 'model.activated');
    const gates = await this.gates(modelId);
    const refused = gates.filter(({ passed }) => !passed).map(({ gate }) => gate);
    if (refused.length > 0 && override === null) {
      record(this.#context, caller, 'model.gateRefused', model.modelHash, { version: model.version, gates: refused });
      return { activated: false, gates };
    }
    if (refused.length > 0 && override !== null) checkOverride(caller, override.reason);
    const subject = model.modelHash;
    const { version, projectId } = model;
    const before = store.models.active(projectId);
    const overridden = await signedDetails(this.#context, caller, {
      action: 'model.gateOverridden',
      subject,
      change: { version, gates: refused, reason: override?.reason ?? '' },
      meaning: 'responsible',
    });
    const activated = await signedDetails(this.#context, caller, {
      action: 'model.activated',
      subject,
      change: { projectId, version, before: before?.modelHash ?? null },
      meaning: 'approver',
    });
    store.transaction(() => {
      if (store.models.active(projectId)?.id !== before?.id) {
        throw new UserError('modelChanged', 'Another model was taken into use just now.', 'Look at the list first.');
      }
      store.models.activate(modelId);
      const { name: by, role } = caller;
      const reason = override?.reason ?? '';
      const at = this.#context.now();
      store.models.setOverride(modelId, refused.length > 0 ? { by, role, at, reason, gates: refused } : null);
      if (refused.length > 0 && override !== null) {
        record(this.#context, caller, 'model.gateOverridden', subject, overridden);
      }
      record(this.#context, caller, 'model.activated', subject, activated);
    });
    await this.#changed(projectId);
    return { activated: true, gates };
  }

  #learned({ normals }: ModelPackage, snapshotId: string): Set<string> {
    const snapshot = this.#context.store.pictures.snapshot(snapshotId)?.pictures ?? [];
    return new Set([...snapshot.map(({ sha256 }) => sha256), ...normals.map(originalSha256)]);
  }

  async #rollback(projectId: string, reason: string, secret: string | null, caller: Caller): Promise<StationModel> {
    const { store } = this.#context;
    await checkSecret(this.#context, caller, secret, this.#parts.isSecretOf, 'model.rolledBack');
    const wanted = store.models.list(projectId).find(({ state }) => state === 'previous');
    const subject = wanted?.modelHash ?? 'none';
    const before = store.models.active(projectId)?.modelHash ?? null;
    const change = { projectId, version: wanted?.version ?? null, before, reason };
    const details = await signedDetails(this.#context, caller, {
      action: 'model.rolledBack',
      subject,
      change,
      meaning: 'responsible',
    });
    const model = store.transaction(() => {
      const restored = store.models.rollback(projectId);
      // Somebody else was faster: what was signed is not what would happen.
      if (restored.id !== wanted?.id) throw new UserError('modelsChanged', 'The models have changed.', 'Look again.');
      record(this.#context, caller, 'model.rolledBack', subject, details);
      return restored;
    });
    await this.#changed(projectId);
    return model;
  }

  async #import(projectId: string, path: string, caller: Caller): Promise<StationModel> {
    const { store } = this.#context;
    store.projects.get(projectId);
    const snapshot = store.pictures.takeSnapshot({
      projectId,
      createdAt: this.#context.now(),
      createdBy: caller.name,
      hash: 'imported',
      pictures: [],
    });
    const model = await this.add(
      projectId,
      path,
      {
        snapshotId: snapshot.id,
        createdBy: caller.name,
        trainingMs: 0,
        geometry: projectGeometry(this.#context, projectId),
        note: `Imported from ${path}`,
      },
      false,
    );
    record(this.#context, caller, 'model.imported', model.modelHash, { projectId, version: model.version, path });
    return model;
  }

  async #changed(projectId: string): Promise<void> {
    this.#context.emit({ type: 'models', projectId });
    this.#context.emit({ type: 'projects' });
    await this.#parts.feeds.modelChanged(projectId);
  }
}

function checkOverride(caller: Caller, reason: string): void {
  if (!overriders.includes(caller.role)) {
    throw new UserError(
      'overrideRole',
      `The role "${caller.role}" may not let a refused model through.`,
      'Ask somebody with the role quality.',
    );
  }
  if (reason.trim().length < shortestReason) {
    throw new UserError(
      'overrideReason',
      'Letting a refused model through needs a reason that others will understand later.',
      'Give it in a sentence.',
    );
  }
}

function factsOf({ manifest, modelHash, normals }: ModelPackage) {
  const { preset, engine, thresholds, parity, classes } = manifest;
  const isInstant = preset.name === 'embedded' && preset.constants['students'] === null;
  return {
    modelHash,
    preset: isInstant ? 'instant' : preset.name,
    classes: classes.map(({ name }) => name),
    pictures: normals.length,
    engine: `${engine.engine} ${engine.provider}`,
    thresholds: { review: thresholds.pooled.review, fail: thresholds.pooled.fail },
    basis: thresholds.pooled.statement,
    parity: {
      maxAbsDifference: parity.maxAbsDifference,
      verdictFlips: parity.verdictFlips,
      pictures: parity.pictures,
    },
  };
}
