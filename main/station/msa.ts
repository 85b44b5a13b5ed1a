import { createHash } from 'node:crypto';
import { classLimitFor } from '../../shared/calibration/unknown-class.ts';
import { classLimitOf } from '../../shared/calibration/unknown-limit.ts';
import { UserError } from '../../shared/errors.ts';
import type { StudyShowing } from '../../shared/ipc/study.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import { faultOf } from '../processes/fault.ts';
import type { StoredStudy } from '../store/studies.ts';
import { systemCaller } from '../store/types.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import type { FeedService } from './feed.ts';
import { countMaterial, makeStudy, studyMaterial, type StudyView } from './msa-plan.ts';
import { exportStudy, resultsOf } from './msa-results.ts';

type Appraiser = StoredStudy['appraisers'][number];

/**
 * Attribute agreement studies at the station. People judge one showing at a time, in an order of their own; each answer is
 * durable before the next picture comes, so a crash costs nothing. The model judges through the process that judges.
 */
export class StudyService {
  readonly #context: StationContext;
  readonly #feeds: Pick<FeedService, 'score'>;
  readonly #judging = new Map<string, Promise<void>>();
  readonly #problems = new Map<string, string>();

  constructor(context: StationContext, feeds: Pick<FeedService, 'score'>) {
    this.#context = context;
    this.#feeds = feeds;
  }

  readonly handlers: HandlersOf<'study'> = {
    'study.material': ({ projectId, modelId }) => {
      const { store } = this.#context;
      const model = modelId === null ? null : store.models.get(modelId);
      const { golden, labelled } = studyMaterial(this.#context, projectId, model);
      return { golden: countMaterial(golden), labelled: countMaterial(labelled) };
    },
    'study.start': (request, caller) => {
      const { store } = this.#context;
      const study = store.transaction(() => {
        const added = store.studies.add(makeStudy(this.#context, request, caller.name));
        record(this.#context, caller, 'study.started', added.id, {
          projectId: added.projectId,
          name: added.name,
          parts: added.parts.length,
          repeats: added.repeats,
          appraisers: added.appraisers.map(({ name }) => name),
          modelHash: added.model?.modelHash ?? null,
        });
        return added;
      });
      void this.#letModelJudge(study);
      return this.#changed(study.id);
    },
    'study.list': ({ projectId }) => this.#context.store.studies.list(projectId).map((study) => this.#show(study)),
    'study.mine': ({ projectId }, caller) =>
      this.#context.store.studies
        .list(projectId)
        .filter(({ state }) => state === 'running')
        .flatMap((study) => {
          const counts = this.#context.store.studies.counts(study.id);
          return study.appraisers
            .filter((appraiser) => mayJudge(appraiser, caller))
            .map(({ name, order }) => ({ name, done: counts.get(name) ?? 0, total: order.length }))
            .filter(({ done, total }) => done < total)
            .map(({ name, done, total }) => ({ studyId: study.id, name: study.name, appraiser: name, done, total }));
        }),
    'study.next': ({ studyId, appraiser }, caller) => {
      const study = this.#context.store.studies.get(studyId);
      return this.#showing(study, this.#judge(study, appraiser, caller));
    },
    'study.answer': ({ studyId, appraiser, position, answer }, caller) => {
      const { store, now } = this.#context;
      const showing = store.transaction(() => {
        const study = store.studies.get(studyId);
        const judge = this.#judge(study, appraiser, caller);
        if (this.#showing(study, judge).position !== position) {
          throw new UserError('studyOutOfTurn', 'This part has its answer already.', 'Go on with the next one.');
        }
        store.studies.addAnswer(studyId, { appraiser, position, answer, by: caller.name, at: now() });
        return this.#showing(study, judge);
      });
      if (showing.sha256 === null) this.#finish(studyId, caller);
      return showing;
    },
    'study.modelJudges': async ({ studyId }) => {
      await this.#letModelJudge(this.#context.store.studies.get(studyId));
      return this.#changed(studyId);
    },
    'study.cancel': ({ studyId }, caller) => {
      const { store, now } = this.#context;
      store.transaction(() => {
        const { state, projectId, name } = store.studies.get(studyId);
        if (state !== 'running') throw new UserError('studyEnded', 'The study has ended.', 'Look at its results.');
        store.studies.end(studyId, 'cancelled', now());
        record(this.#context, caller, 'study.cancelled', studyId, { projectId, name });
      });
      return this.#changed(studyId);
    },
    'study.results': ({ studyId }) => this.results(studyId),
    'study.export': async ({ studyId, path }, caller) => {
      const study = this.#finished(studyId);
      const written = await exportStudy(this.#context, study, path);
      record(this.#context, caller, 'data.exported', studyId, { what: 'study', path: written.path });
      return written;
    },
  };

  /** @throws UserError `studyRunning` while somebody still judges */
  results(studyId: string) {
    const study = this.#finished(studyId);
    return { study: this.#show(study), ...resultsOf(study, this.#context.store.studies.answers(studyId)) };
  }

  /** The model goes on where the station stopped. Call once, at start. */
  recover(): void {
    for (const study of this.#context.store.studies.running()) void this.#letModelJudge(study);
  }

  #finished(studyId: string): StoredStudy {
    const study = this.#context.store.studies.get(studyId);
    if (study.state !== 'finished') {
      throw new UserError('studyRunning', 'Not everybody has judged every part.', 'Results come when all have.');
    }
    return study;
  }

  /** @throws UserError `studyEnded`, `studyNotYours` */
  #judge(study: StoredStudy, name: string, caller: Caller): Appraiser {
    if (study.state === 'cancelled')
      throw new UserError('studyEnded', 'The study was ended.', 'Nothing more to judge.');
    const appraiser = study.appraisers.find((one) => one.name === name);
    if (appraiser === undefined || !mayJudge(appraiser, caller)) {
      throw new UserError('studyNotYours', `${caller.name} does not judge as "${name}".`, `Sign in as "${name}".`);
    }
    return appraiser;
  }

  #showing({ id, parts }: StoredStudy, { name, order }: Appraiser): StudyShowing {
    const given = this.#context.store.studies.counts(id).get(name) ?? 0;
    const total = order.length;
    return { position: Math.min(given + 1, total), total, sha256: given < total ? parts[order[given]!]!.sha256 : null };
  }

  /** Ends the study once everybody has judged everything. */
  #finish(studyId: string, caller: Caller): void {
    const { store, now } = this.#context;
    const isDone = store.transaction(() => {
      const study = store.studies.get(studyId);
      const counts = store.studies.counts(studyId);
      if (study.state !== 'running') return false;
      if (study.appraisers.some(({ name, order }) => (counts.get(name) ?? 0) < order.length)) return false;
      store.studies.end(studyId, 'finished', now());
      const answers = store.studies.answers(studyId);
      record(this.#context, caller, 'study.finished', studyId, {
        projectId: study.projectId,
        name: study.name,
        answers: answers.length,
        // Whoever doubts the answers later can hold them against this.
        answersSha256: createHash('sha256').update(JSON.stringify(answers)).digest('hex'),
      });
      return true;
    });
    if (isDone) this.#changed(studyId);
    else this.#tell(store.studies.get(studyId).projectId);
  }

  /** Never rejects: what went wrong stands in the list. One run at a time. */
  #letModelJudge(study: StoredStudy): Promise<void> {
    const running = this.#judging.get(study.id);
    if (running !== undefined) return running;
    const work = this.#modelJudges(study)
      .then(
        () => void this.#problems.delete(study.id),
        (error: unknown) => void this.#problems.set(study.id, faultOf(error).message),
      )
      .finally(() => {
        this.#judging.delete(study.id);
        this.#tell(study.projectId);
      });
    this.#judging.set(study.id, work);
    return work;
  }

  async #modelJudges({ id, model, parts, appraisers, repeats }: StoredStudy): Promise<void> {
    const { store, now } = this.#context;
    const appraiser = appraisers.find(({ isModel }) => isModel);
    if (model === null || appraiser === undefined) return;
    const { name, order } = appraiser;
    const found = store.models.get(model.id);
    const limit = classLimitOf(found.unknownClass);
    const files = parts.map(({ part, sha256 }) => {
      const path = store.pictures.path(sha256);
      if (path === null) throw new UserError('studyPicture', `The picture of part ${part} is not kept any more.`);
      return { sha256, path };
    });
    this.#problems.delete(id);
    // Round by round, all of a round or nothing of it.
    for (let given = store.studies.counts(id).get(name) ?? 0; given < repeats * parts.length; given += parts.length) {
      const round = order.slice(given, given + parts.length);
      const scored = await this.#feeds.score(
        found,
        round.map((index) => files[index]!),
      );
      if (store.studies.get(id).state !== 'running') return;
      store.transaction(() => {
        scored.forEach(({ verdict, className, classDistance }, i) => {
          // As on the line: what looks like no known class doesn't pass.
          const isKnown =
            limit === undefined || (classDistance !== null && classDistance < classLimitFor(limit, className ?? ''));
          const answer = verdict === 'pass' && isKnown ? ('pass' as const) : ('fail' as const);
          store.studies.addAnswer(id, { appraiser: name, position: given + i + 1, answer, by: name, at: now() });
        });
      });
    }
    this.#finish(id, systemCaller);
  }

  #changed(studyId: string): StudyView {
    const study = this.#context.store.studies.get(studyId);
    this.#tell(study.projectId);
    return this.#show(study);
  }

  #tell(projectId: string): void {
    this.#context.emit({ type: 'studies', projectId });
  }

  #show(study: StoredStudy): StudyView {
    const { id, projectId, name, createdAt, createdBy, state, finishedAt, parts, repeats, appraisers, model } = study;
    const counts = this.#context.store.studies.counts(id);
    return {
      id,
      projectId,
      name,
      createdAt,
      createdBy,
      state,
      finishedAt,
      parts: parts.length,
      defects: parts.filter(({ gtLabel }) => gtLabel === 'fail').length,
      repeats,
      appraisers: appraisers.map((one) => ({
        name: one.name,
        userId: one.userId,
        isModel: one.isModel,
        done: counts.get(one.name) ?? 0,
        total: one.order.length,
      })),
      model,
      modelProblem: state === 'running' ? (this.#problems.get(id) ?? null) : null,
    };
  }
}

/** With accounts only the person itself; without, whoever is at the screen says who it is. */
function mayJudge({ name, userId, isModel }: Appraiser, caller: Caller): boolean {
  if (isModel) return false;
  if (caller.userId === null) return true;
  return userId === null ? name === caller.name : userId === caller.userId;
}
