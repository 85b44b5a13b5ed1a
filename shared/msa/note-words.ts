import { noteTemplates, type StudyNote, type StudyNoteKey } from './notes.ts';

type NoteWords = Readonly<Record<StudyNoteKey, string>>;

const de: NoteWords = {
  noDefects: 'Es sind keine fehlerhaften Teile dabei: Schlupf lässt sich nicht messen.',
  noGood: 'Es sind keine guten Teile dabei: Fehlalarme lassen sich nicht messen.',
  fewParts: '{parts} Teile sind wenig: üblich sind 20 bis 50, und die Intervalle sind breit.',
  oneSided: '{percent} % der Teile sind fehlerhaft: Kappa sagt am meisten zwischen einem und drei Vierteln.',
  oneAppraiser: 'Mit einem Prüfer gibt es keine Übereinstimmung zwischen Prüfern.',
  oneRepeat: 'Mit einer Wiederholung gibt es keine Übereinstimmung eines Prüfers mit sich selbst.',
  modelReview: 'Beim Modell zählt ein Teil, das es angesehen haben will, als beanstandet.',
  samePicture:
    'Das Modell sah jedes Mal dasselbe Bild eines Teils: dass es mit sich selbst übereinstimmt, sagt nichts.',
  ownReference: 'Was {parts} der Teile sind, hat {appraiser} gesagt, der oder die hier auch geprüft hat.',
};

const ko: NoteWords = {
  noDefects: '불량 부품이 없어 유출률을 측정할 수 없습니다.',
  noGood: '양품이 없어 오경보율을 측정할 수 없습니다.',
  fewParts: '부품 {parts}개는 적습니다. 보통 20~50개이며, 지금은 구간이 넓습니다.',
  oneSided: '부품의 {percent} %가 불량입니다. 카파는 1/4에서 3/4 사이일 때 가장 의미가 있습니다.',
  oneAppraiser: '평가자가 한 명이면 평가자 간 일치도를 알 수 없습니다.',
  oneRepeat: '반복이 한 번이면 평가자 자신의 일치도를 알 수 없습니다.',
  modelReview: '모델이 확인을 요청한 부품은 불량으로 판정한 것으로 셉니다.',
  samePicture: '모델은 부품마다 같은 사진을 반복해서 보았으므로 자신과 일치한다는 사실은 의미가 없습니다.',
  ownReference: '부품 {parts}개의 기준값은 이 연구에서 평가도 한 {appraiser} 님이 정한 것입니다.',
};

const zhCN: NoteWords = {
  noDefects: '没有缺陷零件：无法测量漏检率。',
  noGood: '没有良品：无法测量误报率。',
  fewParts: '{parts} 个零件太少：通常为 20 到 50 个，因此区间较宽。',
  oneSided: '{percent} % 的零件有缺陷：该比例在四分之一到四分之三之间时 Kappa 最有意义。',
  oneAppraiser: '只有一名评价者，无法得知评价者之间的一致性。',
  oneRepeat: '只有一次重复，无法得知评价者自身的一致性。',
  modelReview: '模型要求人工查看的零件按判为缺陷计算。',
  samePicture: '模型每次看到的都是同一张图片：它与自身一致并不说明什么。',
  ownReference: '{parts} 个零件的基准由 {appraiser} 给出，而此人也参与了评价。',
};

const words = { en: noteTemplates, de, ko, 'zh-CN': zhCN } as const satisfies Record<string, NoteWords>;

/** A note in a language of the station. */
export function studyNoteText({ key, params }: Pick<StudyNote, 'key' | 'params'>, language: string): string {
  const known: Readonly<Record<string, NoteWords>> = words;
  return (known[language] ?? words.en)[key].replace(/\{(\w+)\}/g, (_, name: string) => String(params[name] ?? ''));
}
