/** What the fake station answers about studies, and about a candidate beside the active model. */
import type { StationEvent } from '../../shared/ipc/contract.ts';
import type { Study, StudyShowing } from '../../shared/ipc/study.ts';
import type { ShadowState } from '../../shared/ipc/training.ts';
import { analyseStudy } from '../../shared/msa/analyse.ts';
import { studyNote } from '../../shared/msa/notes.ts';
import { planStudy } from '../../shared/msa/plan.ts';
import type { StudyPlan } from '../../shared/msa/types.ts';
import { chance, type FakeData } from './fake-data.ts';
import type { Answers } from './fake-engineering.ts';

type Word = 'pass' | 'fail';
interface FakeStudy {
  study: Study;
  plan: StudyPlan;
  truth: Map<string, Word>;
  answers: Map<string, Word[]>;
}

const now = (): string => new Date().toISOString();
const other = (word: Word): Word => (word === 'pass' ? 'fail' : 'pass');

export function studyAnswers(
  data: FakeData,
  tell: (event: StationEvent) => void,
  refuse: (message: string) => never,
): Answers {
  const golden = data.pictures.filter(({ use }) => use === 'golden');
  const truthOf = (sha256: string): Word =>
    data.pictures.find((one) => one.sha256 === sha256)!.predScore! > 0.6 ? 'fail' : 'pass';
  const studies: FakeStudy[] = [];
  let shadow: ShadowState | null = null;

  function make(id: string, name: string, people: string[], good: number, defects: number, repeats: number): FakeStudy {
    const of = (word: Word, count: number) =>
      golden
        .filter(({ sha256 }) => truthOf(sha256) === word)
        .slice(0, count)
        .map(({ sha256 }) => sha256);
    const parts = [...of('pass', good), ...of('fail', defects)];
    const truth = new Map(parts.map((sha256) => [sha256, truthOf(sha256)]));
    const appraisers = [...people, 'Model v2'];
    const plan = planStudy(
      parts.map((part) => ({ part, reference: truth.get(part) === 'pass' ? 'good' : 'defect' })),
      appraisers,
      repeats,
      7,
    );
    const total = parts.length * repeats;
    return {
      plan,
      truth,
      answers: new Map(appraisers.map((one) => [one, []])),
      study: {
        ...{ id, projectId: 'papers', name, createdAt: now(), createdBy: 'Ada Berger', state: 'running' },
        ...{ finishedAt: null, parts: parts.length, defects: parts.length - of('pass', good).length, repeats },
        appraisers: appraisers.map((one) => ({
          ...{ name: one, userId: null, isModel: one.startsWith('Model '), done: 0, total },
        })),
        ...{ model: { id: 'm2', version: 2, modelHash: '2'.repeat(64) }, modelProblem: null },
      },
    };
  }
  const orderOf = ({ plan }: FakeStudy, name: string): string[] =>
    plan.trials.filter(({ appraiser }) => appraiser === name).map(({ part }) => part);
  /** Everybody is wrong now and then, each in an own way. */
  function judgeAll(one: FakeStudy, name: string, errors: number): void {
    one.answers.set(
      name,
      orderOf(one, name).map((part, i) => {
        const isWrong = chance(`${name}${part}`) < errors && chance(`${name}${part}${String(i)}`) < 0.7;
        return isWrong ? other(one.truth.get(part)!) : one.truth.get(part)!;
      }),
    );
  }
  function count(one: FakeStudy): void {
    for (const appraiser of one.study.appraisers) appraiser.done = one.answers.get(appraiser.name)!.length;
    if (one.study.state === 'running' && one.study.appraisers.every(({ done, total }) => done === total)) {
      Object.assign(one.study, { state: 'finished', finishedAt: now() });
    }
  }
  if (golden.length > 0) {
    const past = make('s1', 'Line 3, spring', ['Ada Berger', 'Minh Trần', '김서연'], 15, 15, 3);
    for (const [name, errors] of [
      ['Ada Berger', 0.1],
      ['Minh Trần', 0.25],
      ['김서연', 0.15],
      ['Model v2', 0.07],
    ] as const)
      judgeAll(past, name, errors);
    const running = make('s2', 'Line 3, summer', ['Ada Berger', 'Minh Trần'], 3, 3, 2);
    judgeAll(running, 'Minh Trần', 0.2);
    judgeAll(running, 'Model v2', 0);
    studies.push(running, past);
    studies.forEach(count);
  }
  const find = (id: string): FakeStudy =>
    studies.find(({ study }) => study.id === id) ?? refuse('There is no such study.');
  function showing(one: FakeStudy, name: string): StudyShowing {
    const order = orderOf(one, name);
    const given = one.answers.get(name)!.length;
    return { position: Math.min(given + 1, order.length), total: order.length, sha256: order[given] ?? null };
  }
  const changed = (): void => tell({ type: 'studies', projectId: 'papers' });

  return {
    'study.material': () => {
      const defects = golden.filter(({ sha256 }) => truthOf(sha256) === 'fail').length;
      const of = { good: golden.length - defects, defects };
      return { golden: of, labelled: { good: of.good + 12, defects: of.defects + 3 } };
    },
    'study.list': () => studies.map(({ study }) => study),
    'study.mine': () =>
      studies
        .filter(({ study }) => study.state === 'running')
        .flatMap(({ study }) =>
          study.appraisers
            .filter(({ isModel, done, total }) => !isModel && done < total)
            .map(({ name, done, total }) => ({ studyId: study.id, name: study.name, appraiser: name, done, total })),
        ),
    'study.start': ({ name, appraisers, good, defects, repeats }) => {
      const one = make(
        `s${String(studies.length + 1)}`,
        name,
        appraisers.map((who) => who.name),
        good,
        defects,
        repeats,
      );
      judgeAll(one, 'Model v2', 0.05);
      count(one);
      studies.unshift(one);
      changed();
      return one.study;
    },
    'study.next': ({ studyId, appraiser }) => showing(find(studyId), appraiser),
    'study.answer': ({ studyId, appraiser, position, answer }) => {
      const one = find(studyId);
      if (showing(one, appraiser).position !== position) refuse('This part has its answer already.');
      one.answers.get(appraiser)!.push(answer);
      count(one);
      changed();
      return showing(one, appraiser);
    },
    'study.cancel': ({ studyId }) => {
      changed();
      return Object.assign(find(studyId).study, { state: 'cancelled' as const });
    },
    'study.results': ({ studyId }) => {
      const one = find(studyId);
      if (one.study.state !== 'finished') refuse('Not everybody has judged every part.');
      const { trials, parts, repeats } = one.plan;
      const given = trials.map(({ appraiser, part, repeat, position }) => ({
        ...{ appraiser, part, repeat },
        answer: one.answers.get(appraiser)![position - 1]!,
      }));
      const result = analyseStudy(
        parts,
        given.map((row) => ({ ...row, answer: row.answer === 'pass' ? ('good' as const) : ('defect' as const) })),
      );
      const disagreements = parts
        .map(({ part }, i) => {
          const own = given.filter((row) => row.part === part);
          return {
            ...{ part: `P${String(i + 1).padStart(2, '0')}`, sha256: part, className: 'papers' },
            reference: one.truth.get(part)!,
            wrong: own.filter(({ answer }) => answer !== one.truth.get(part)).length,
            answers: one.study.appraisers.map(({ name }) => ({
              appraiser: name,
              given: own.filter((row) => row.appraiser === name).map(({ answer }) => answer),
            })),
          };
        })
        .filter(({ wrong }) => wrong > 0)
        .sort((a, b) => b.wrong - a.wrong);
      const notes = [...result.notes, studyNote('modelReview'), ...(repeats > 1 ? [studyNote('samePicture')] : [])];
      return { study: one.study, result: { ...result, notes }, disagreements };
    },
    'study.export': ({ path }) => ({ path, partsPath: path }),
    'reports.study': ({ path }) => ({ path, pages: 3 }),

    'models.shadowState': () => shadow,
    'models.shadowStop': () => {
      if (shadow !== null) shadow = { ...shadow, state: 'stopped' };
      tell({ type: 'shadow', projectId: 'papers' });
      return shadow;
    },
    'models.shadowStart': ({ modelId, parts, hours }) => {
      const flips = data.parts.filter(({ verdict }) => verdict === 'fail' || verdict === 'pass').slice(0, 9);
      shadow = {
        ...{ projectId: 'papers', modelId, activeModelId: 'm2', state: 'running', startedAt: now(), parts },
        endsAt: hours === null ? null : new Date(Date.now() + hours * 3_600_000).toISOString(),
        ...{ judged: 212, skipped: 4, agreeing: 203, disagreementRate: { low: 0.0196, high: 0.0791 } },
        ...{ newlyRejected: 7, newlyAccepted: 2, stricterP: 0.1797, reviews: { active: 6, candidate: 4 } },
        labelled: {
          ...{ good: 14, defects: 9, escapes: { active: 2, candidate: 1 }, falseRejects: { active: 1, candidate: 3 } },
          ...{ onlyActiveRight: 2, onlyCandidateRight: 1, p: 1 },
        },
        candidateMs: { median: 61, p95: 84 },
        line: { before: { median: 41, p95: 48 }, during: { median: 52, p95: 71 }, cycleTimeMs: 60, isSlow: true },
        disagreements: flips.map((part, i) => ({
          ...{ partId: part.id, className: part.className ?? '', at: part.presentedAt, serial: part.serial },
          ...{
            pictureSha256: part.pictureSha256,
            truth: i % 3 === 0 ? (part.verdict === 'fail' ? ('fail' as const) : ('pass' as const)) : null,
          },
          active: { predScore: part.predScore, verdict: part.verdict! },
          candidate: {
            predScore: part.predScore! + 0.2,
            verdict: part.verdict === 'fail' ? ('pass' as const) : ('fail' as const),
          },
        })),
      };
      tell({ type: 'shadow', projectId: 'papers' });
      return shadow;
    },
  };
}
