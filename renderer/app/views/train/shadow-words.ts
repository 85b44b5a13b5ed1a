import type { ShadowState } from '../../../../shared/ipc/training.ts';

type Translate = (key: string, params?: Record<string, string | number>) => string;

export interface ShadowFormat {
  count: (value: number) => string;
  number: (value: number, digits?: number) => string;
  percent: (share: number, digits?: number) => string;
}

/** From this on a difference is more than chance explains. */
const significance = 0.05;

/** What a comparison says so far, sentence by sentence, each number with what it was counted on. */
export function shadowWords(state: ShadowState, t: Translate, { count, number, percent }: ShadowFormat): string[] {
  const { judged, agreeing, disagreementRate, newlyRejected, newlyAccepted, stricterP, reviews, labelled } = state;
  const pText = (p: number): string => (p < 0.001 ? '< 0.001' : number(p, 3));
  if (judged === 0) return [t(state.state === 'running' ? 'shadow.waiting' : 'shadow.nothing')];
  const words = [
    t('shadow.agreement', {
      agree: count(agreeing),
      all: count(judged),
      share: percent(agreeing / judged),
      low: percent(disagreementRate.low),
      high: percent(disagreementRate.high),
    }),
  ];
  if (newlyRejected + newlyAccepted > 0) {
    words.push(t('shadow.flips', { rejected: count(newlyRejected), accepted: count(newlyAccepted) }));
    const stricter = newlyRejected > newlyAccepted ? 'shadow.stricter' : 'shadow.laxer';
    words.push(t(stricterP < significance ? stricter : 'shadow.equallyStrict', { p: pText(stricterP) }));
  }
  words.push(t('shadow.reviews', { active: count(reviews.active), candidate: count(reviews.candidate) }));
  if (labelled.good + labelled.defects === 0) words.push(t('shadow.noTruth'));
  else {
    words.push(
      t('shadow.truth', {
        good: count(labelled.good),
        defects: count(labelled.defects),
        escapesActive: count(labelled.escapes.active),
        escapesCandidate: count(labelled.escapes.candidate),
        rejectsActive: count(labelled.falseRejects.active),
        rejectsCandidate: count(labelled.falseRejects.candidate),
      }),
    );
    const onlyOne = {
      active: count(labelled.onlyActiveRight),
      candidate: count(labelled.onlyCandidateRight),
      p: pText(labelled.p),
    };
    if (labelled.onlyActiveRight + labelled.onlyCandidateRight > 0)
      words.push(t(labelled.p < significance ? 'shadow.onlyOneRight' : 'shadow.noBetter', onlyOne));
  }
  if (state.skipped > 0) words.push(t('shadow.skipped', { count: count(state.skipped) }));
  return [...words, ...times(state, t, count)];
}

function times({ candidateMs, line }: ShadowState, t: Translate, count: ShadowFormat['count']): string[] {
  const words: string[] = [];
  if (candidateMs !== null) {
    words.push(t('shadow.candidateTime', { median: count(candidateMs.median), p95: count(candidateMs.p95) }));
  }
  if (line.during !== null) {
    const during = count(line.during.p95);
    words.push(
      line.before === null
        ? t('shadow.lineTime', { during })
        : t('shadow.lineTimes', { before: count(line.before.p95), during }),
    );
  }
  return words;
}
