import { randomInt } from 'node:crypto';
import { UserError } from '../../shared/errors.ts';
import type { ChannelInput, ChannelOutput } from '../../shared/ipc/contract.ts';
import { planStudy } from '../../shared/msa/plan.ts';
import { createRandom, type Random } from '../../shared/random.ts';
import type { StationModel } from '../../shared/station/domain.ts';
import type { StoredStudy, StudyBody } from '../store/studies.ts';
import { isLabelled, type LabelledPicture } from './golden.ts';
import type { StationContext } from './context.ts';

/** What the model is called among the appraisers. */
export const modelAppraiser = (version: number): string => `Model v${String(version)}`;

export type StudyRequest = ChannelInput<'study.start'>;

/** Pictures a study may take its parts from, by source; where a model takes part, only those it did not learn from. */
export function studyMaterial(
  context: StationContext,
  projectId: string,
  model: StationModel | null,
): Record<StudyRequest['source'], LabelledPicture[]> {
  const { store } = context;
  const learnt = new Set(
    model === null
      ? []
      : (store.pictures.snapshot(model.snapshotId)?.pictures ?? [])
          .filter(({ use }) => use === 'normal')
          .map(({ sha256 }) => sha256),
  );
  const disputed = new Set(store.labels.conflicts(projectId, 10_000).map(({ picture }) => picture.sha256));
  const labelled = store.pictures
    .forTraining(projectId, ['golden', 'calibration', 'inspected'])
    .filter(isLabelled)
    .filter(({ sha256 }) => !learnt.has(sha256) && !disputed.has(sha256));
  return { golden: labelled.filter(({ use }) => use === 'golden'), labelled };
}

export function countMaterial(pictures: readonly LabelledPicture[]): { good: number; defects: number } {
  const defects = pictures.filter(({ gtLabel }) => gtLabel === 'fail').length;
  return { good: pictures.length - defects, defects };
}

/**
 * A study as it will be stored: parts drawn by chance (from every class alike), appraisers, and each one's order.
 * @throws UserError `studyParts`, `studyPeople`, `studyTooSmall`, `studyNamesTwice`
 */
export function makeStudy(
  context: StationContext,
  request: StudyRequest,
  createdBy: string,
): Omit<StoredStudy, 'id' | 'state' | 'finishedAt'> {
  const { store } = context;
  const { projectId, name, source, good, defects, repeats, modelId } = request;
  store.projects.get(projectId);
  const model = modelId === null ? null : store.models.get(modelId);
  if (model !== null && model.projectId !== projectId) {
    throw new UserError('modelUnknown', 'The model belongs to another project.', 'Choose one of the list.');
  }
  const seed = randomInt(2 ** 32);
  const random = createRandom(seed);
  const pictures = studyMaterial(context, projectId, model)[source];
  const drawn = random.shuffle([...draw(pictures, 'pass', good, random), ...draw(pictures, 'fail', defects, random)]);
  const digits = String(drawn.length).length;
  const parts = drawn.map(({ sha256, className, fileName, gtLabel }, i) => ({
    part: `P${String(i + 1).padStart(digits, '0')}`,
    sha256,
    className,
    fileName,
    gtLabel,
    labelledBy: store.labels.of(projectId, sha256)[0]?.by ?? null,
  }));
  const appraisers: Omit<StudyBody['appraisers'][number], 'order'>[] = peopleOf(context, request);
  if (model !== null) appraisers.push({ name: modelAppraiser(model.version), userId: null, isModel: true });
  const { trials } = planStudy(
    parts.map(({ part, gtLabel }) => ({ part, reference: gtLabel === 'pass' ? 'good' : 'defect' })),
    appraisers.map((appraiser) => appraiser.name),
    repeats,
    seed,
  );
  const indexOf = new Map(parts.map(({ part }, i) => [part, i]));
  return {
    projectId,
    name,
    createdAt: context.now(),
    createdBy,
    repeats,
    parts,
    appraisers: appraisers.map((appraiser) => ({
      ...appraiser,
      order: trials.filter((trial) => trial.appraiser === appraiser.name).map(({ part }) => indexOf.get(part)!),
    })),
    model: model === null ? null : { id: model.id, version: model.version, modelHash: model.modelHash },
  };
}

function peopleOf({ store }: StationContext, { appraisers }: StudyRequest) {
  const users = store.users.list().filter(({ disabled }) => !disabled);
  if (appraisers.length === 0) {
    throw new UserError('studyPeople', 'Nobody judges in this study.', 'Name two or three people.');
  }
  return appraisers.map(({ name, userId }) => {
    const user = users.find(({ id }) => id === userId);
    if (users.length > 0 && user === undefined) {
      throw new UserError('studyPeople', `"${name}" has no account.`, 'Choose people who can sign in.');
    }
    return { name: user?.name ?? name, userId: user?.id ?? null, isModel: false };
  });
}

/** So many pictures of one label, by chance, taking turns between the classes. */
function draw(
  pictures: readonly LabelledPicture[],
  gtLabel: 'pass' | 'fail',
  count: number,
  random: Random,
): LabelledPicture[] {
  const own = pictures.filter((picture) => picture.gtLabel === gtLabel);
  if (own.length < count) {
    const [has, wanted] = [String(own.length), String(count)];
    throw new UserError(
      'studyParts',
      gtLabel === 'pass'
        ? `There are ${has} pictures of good parts, not ${wanted}.`
        : `There are ${has} pictures of defective parts, not ${wanted}.`,
      'Take fewer, or label more pictures.',
    );
  }
  const byClass = new Map<string, LabelledPicture[]>();
  for (const picture of random.shuffle(own)) {
    byClass.set(picture.className, [...(byClass.get(picture.className) ?? []), picture]);
  }
  const piles = random.shuffle([...byClass.values()]);
  const drawn: LabelledPicture[] = [];
  for (let i = 0; drawn.length < count; i++) {
    const picture = piles[i % piles.length]!.pop();
    if (picture !== undefined) drawn.push(picture);
  }
  return drawn;
}

export type StudyView = ChannelOutput<'study.list'>[number];
