/** The words of the printed study; one record per language. */
import type { Settings } from '../../../shared/ipc/settings.ts';
import type { Rating } from '../../../shared/msa/types.ts';

export interface StudyWords {
  title: string;
  parts: string;
  partsOf: (parts: number, defects: number, repeats: number) => string;
  begun: string;
  finished: string;
  eachAppraiser: string;
  appraiser: string;
  effectiveness: string;
  escapes: string;
  falseAlarms: string;
  bothWays: string;
  howRates: string;
  agreement: string;
  whom: string;
  agree: string;
  withSelf: (name: string) => string;
  all: string;
  allRight: string;
  howKappas: (percent: number) => string;
  howSteps: string;
  rating: Record<Rating, string>;
  notDefined: string;
  disagreements: string;
  noDisagreements: string;
  part: string;
  reference: string;
  answers: string;
}

const en: StudyWords = {
  title: 'Attribute agreement study',
  parts: 'Parts',
  partsOf: (parts, defects, repeats) => `${parts}, ${defects} of them defective; rounds: ${repeats}`,
  begun: 'Begun',
  finished: 'Finished',
  eachAppraiser: 'Each appraiser against the reference',
  appraiser: 'Appraiser',
  effectiveness: 'Effectiveness',
  escapes: 'Escapes',
  falseAlarms: 'False alarms',
  bothWays: 'Judged both ways',
  howRates:
    'Effectiveness: parts judged right in every round. Escapes: showings of a defective part that were passed. False alarms: showings of a good part that were failed.',
  agreement: 'Agreement',
  whom: 'Between whom',
  agree: 'Agreement',
  withSelf: (name) => `${name}, with oneself`,
  all: 'All, in every round',
  allRight: 'All, in every round, with the reference',
  howKappas: (percent) =>
    `Intervals hold with ${percent} %: exact ones (Clopper and Pearson) for rates; for kappas by leaving out one part after the other. Kappa is the agreement beyond chance: above 0.75 good, below 0.4 poor (AIAG).`,
  howSteps:
    'Steps as AIAG has them: effectiveness at least 90 % acceptable, at least 80 % marginal; escapes at most 2 % and 5 %; false alarms at most 5 % and 10 %.',
  rating: { acceptable: 'acceptable', marginal: 'marginal', unacceptable: 'not acceptable' },
  notDefined: 'not defined: only one word was used',
  disagreements: 'Parts that not everybody judged right every time',
  noDisagreements: 'None: everybody judged every part right every time.',
  part: 'Part',
  reference: 'Reference',
  answers: 'Answers, round by round',
};

const de: StudyWords = {
  title: 'Attributive Prüfmittelanalyse',
  parts: 'Teile',
  partsOf: (parts, defects, repeats) => `${parts}, davon ${defects} fehlerhaft; Durchgänge: ${repeats}`,
  begun: 'Begonnen',
  finished: 'Abgeschlossen',
  eachAppraiser: 'Jeder Prüfer gegen die Referenz',
  appraiser: 'Prüfer',
  effectiveness: 'Trefferquote',
  escapes: 'Schlupf',
  falseAlarms: 'Fehlalarme',
  bothWays: 'Mal so, mal so',
  howRates:
    'Trefferquote: Teile, die in jedem Durchgang richtig beurteilt wurden. Schlupf: Vorlagen eines fehlerhaften Teils, die bestanden haben. Fehlalarme: Vorlagen eines guten Teils, die beanstandet wurden.',
  agreement: 'Übereinstimmung',
  whom: 'Zwischen wem',
  agree: 'Übereinstimmung',
  withSelf: (name) => `${name}, mit sich selbst`,
  all: 'Alle, in jedem Durchgang',
  allRight: 'Alle, in jedem Durchgang, mit der Referenz',
  howKappas: (percent) =>
    `Die Intervalle gelten mit ${percent} %: exakte (Clopper und Pearson) für Anteile, für Kappas durch Weglassen eines Teils nach dem anderen. Kappa ist die Übereinstimmung über den Zufall hinaus: über 0,75 gut, unter 0,4 schlecht (AIAG).`,
  howSteps:
    'Stufen nach AIAG: Trefferquote mindestens 90 % annehmbar, mindestens 80 % grenzwertig; Schlupf höchstens 2 % und 5 %; Fehlalarme höchstens 5 % und 10 %.',
  rating: { acceptable: 'annehmbar', marginal: 'grenzwertig', unacceptable: 'nicht annehmbar' },
  notDefined: 'nicht bestimmt: es kam nur eine Antwort vor',
  disagreements: 'Teile, die nicht alle jedes Mal richtig beurteilt haben',
  noDisagreements: 'Keine: alle haben jedes Teil jedes Mal richtig beurteilt.',
  part: 'Teil',
  reference: 'Referenz',
  answers: 'Antworten, Durchgang für Durchgang',
};

const ko: StudyWords = {
  title: '계수형 측정 시스템 분석',
  parts: '부품',
  partsOf: (parts, defects, repeats) => `${parts}개, 그중 불량 ${defects}개, 반복 ${repeats}회`,
  begun: '시작',
  finished: '완료',
  eachAppraiser: '평가자별 기준값 대비 결과',
  appraiser: '평가자',
  effectiveness: '유효성',
  escapes: '유출',
  falseAlarms: '오경보',
  bothWays: '엇갈린 판정',
  howRates:
    '유효성: 모든 회차에서 옳게 판정한 부품. 유출: 불량 부품을 합격으로 판정한 횟수. 오경보: 양품을 불합격으로 판정한 횟수.',
  agreement: '일치도',
  whom: '비교 대상',
  agree: '일치율',
  withSelf: (name) => `${name}, 자신과`,
  all: '모두, 모든 회차',
  allRight: '모두, 모든 회차, 기준값과',
  howKappas: (percent) =>
    `구간은 ${percent} % 신뢰수준입니다. 비율은 정확 구간(Clopper-Pearson), 카파는 부품을 하나씩 제외하여 구했습니다. 카파는 우연을 넘는 일치도이며 0.75 초과는 양호, 0.4 미만은 불량입니다(AIAG).`,
  howSteps: 'AIAG 기준: 유효성 90 % 이상 허용, 80 % 이상 한계. 유출 2 % 이하와 5 % 이하. 오경보 5 % 이하와 10 % 이하.',
  rating: { acceptable: '허용', marginal: '한계', unacceptable: '허용 불가' },
  notDefined: '정의되지 않음: 한 가지 답만 사용됨',
  disagreements: '모두가 매번 옳게 판정하지는 않은 부품',
  noDisagreements: '없음: 모두가 모든 부품을 매번 옳게 판정했습니다.',
  part: '부품',
  reference: '기준값',
  answers: '회차별 답',
};

const zhCN: StudyWords = {
  title: '计数型测量系统分析',
  parts: '零件',
  partsOf: (parts, defects, repeats) => `${parts} 个，其中缺陷 ${defects} 个；轮次：${repeats}`,
  begun: '开始',
  finished: '完成',
  eachAppraiser: '每位评价者与基准对比',
  appraiser: '评价者',
  effectiveness: '有效性',
  escapes: '漏检',
  falseAlarms: '误报',
  bothWays: '前后不一',
  howRates: '有效性：每一轮都判断正确的零件。漏检：缺陷零件被判合格的次数。误报：良品被判不合格的次数。',
  agreement: '一致性',
  whom: '比较对象',
  agree: '一致率',
  withSelf: (name) => `${name}，与自身`,
  all: '所有人，每一轮',
  allRight: '所有人，每一轮，与基准',
  howKappas: (percent) =>
    `区间的置信水平为 ${percent} %：比率为精确区间（Clopper-Pearson），Kappa 通过逐一剔除零件得到。Kappa 是超出偶然的一致性：高于 0.75 为好，低于 0.4 为差（AIAG）。`,
  howSteps: 'AIAG 的等级：有效性不低于 90 % 可接受，不低于 80 % 临界；漏检不超过 2 % 和 5 %；误报不超过 5 % 和 10 %。',
  rating: { acceptable: '可接受', marginal: '临界', unacceptable: '不可接受' },
  notDefined: '无法定义：只出现了一种回答',
  disagreements: '并非所有人每次都判断正确的零件',
  noDisagreements: '没有：所有人每次都判断正确。',
  part: '零件',
  reference: '基准',
  answers: '各轮回答',
};

export function studyWords(language: Settings['language']): StudyWords {
  return { en, de, ko, 'zh-CN': zhCN }[language];
}
