import type { Phrase } from './phrase.ts';

/** What the thresholds of a fresh model rest on, as its package says it. */
export const thresholdPhrases: readonly Phrase[] = [
  [
    'From {normals:phrase} and {defects:phrase} of {group:phrase}: review from {review:number}, fail from {fail:number}.',
    'Aus {normals} und {defects} ({group}): Prüfen ab {review}, Schlecht ab {fail}.',
    '{group}의 {normals}, {defects} 기준: 검토 {review}부터, 불합격 {fail}부터.',
    '依据{group}的{normals}和{defects}：复检自 {review}，不合格自 {fail}。',
  ],
  ['{n:count} normal pictures', '{n} Gutbildern', '양품 사진 {n}장', ' {n} 张良品图片'],
  ['1 normal picture', '1 Gutbild', '양품 사진 1장', ' 1 张良品图片'],
  ['{n:count} defects', '{n} Fehlern', '결함 {n}개', ' {n} 个缺陷'],
  ['1 defect', '1 Fehler', '결함 1개', ' 1 个缺陷'],
  ['all classes', 'alle Klassen', '모든 클래스', '所有类别'],
  ['class "{class}"', 'Klasse „{class}“', '"{class}" 클래스', '类别“{class}”'],
  [
    'Here {escapes:count} of {defects:phrase} would pass and {rejects:count} of {normals:phrase} would fail.',
    'Hier gingen {escapes} von {defects} durch, und {rejects} von {normals} fielen durch.',
    '여기서 {defects} 중 {escapes}개가 합격하고 {normals} 중 {rejects}장이 불합격합니다.',
    '此处{defects}中 {escapes} 个会通过，{normals}中 {rejects} 张会不合格。',
  ],
  [
    'That still allows an escape rate of up to {rate:percent} ({confidence:percent} confidence).',
    'Das lässt noch einen Schlupf von bis zu {rate} zu ({confidence} Sicherheit).',
    '그래도 유출률은 최대 {rate}까지 가능합니다 (신뢰도 {confidence}).',
    '漏检率仍可能高达 {rate}（置信度 {confidence}）。',
  ],
  [
    "With {confidence:percent} confidence at most {rate:percent} of normal parts reach the fail threshold, whatever the scores' distribution.",
    'Mit {confidence} Sicherheit erreichen höchstens {rate} der Gutteile die Schlecht-Schwelle, wie auch immer die Werte verteilt sind.',
    '신뢰도 {confidence}에서, 점수 분포와 관계없이 양품의 최대 {rate}가 불합격 임계값에 도달합니다.',
    '在 {confidence} 置信度下，无论分数如何分布，最多 {rate} 的良品达到不合格阈值。',
  ],
  [
    "With {confidence:percent} confidence at most {rate:percent} of normal parts reach the review threshold, whatever the scores' distribution.",
    'Mit {confidence} Sicherheit erreichen höchstens {rate} der Gutteile die Prüfen-Schwelle, wie auch immer die Werte verteilt sind.',
    '신뢰도 {confidence}에서, 점수 분포와 관계없이 양품의 최대 {rate}가 검토 임계값에 도달합니다.',
    '在 {confidence} 置信度下，无论分数如何分布，最多 {rate} 的良品达到复检阈值。',
  ],
  [
    'An exponential tail fitted to the highest quarter suggests that at most {rate:percent} of normal parts reach the fail threshold; this is no guarantee.',
    'Ein Ausläufer, an das oberste Viertel angepasst, lässt erwarten, dass höchstens {rate} der Gutteile die Schlecht-Schwelle erreichen; zugesichert ist das nicht.',
    '상위 4분의 1에 맞춘 추정으로는 양품의 최대 {rate}가 불합격 임계값에 도달할 것으로 보이지만 보장은 아닙니다.',
    '按最高四分之一拟合的尾部估计，最多 {rate} 的良品达到不合格阈值；这不是保证。',
  ],
  [
    'An exponential tail fitted to the highest quarter suggests that at most {rate:percent} of normal parts reach the review threshold; this is no guarantee.',
    'Ein Ausläufer, an das oberste Viertel angepasst, lässt erwarten, dass höchstens {rate} der Gutteile die Prüfen-Schwelle erreichen; zugesichert ist das nicht.',
    '상위 4분의 1에 맞춘 추정으로는 양품의 최대 {rate}가 검토 임계값에 도달할 것으로 보이지만 보장은 아닙니다.',
    '按最高四分之一拟合的尾部估计，最多 {rate} 的良品达到复检阈值；这不是保证。',
  ],
  [
    'There are too few normal pictures to say anything: the fail threshold is the usual one for such scores.',
    'Für eine Aussage gibt es zu wenige Gutbilder: Die Schlecht-Schwelle ist die für solche Werte übliche.',
    '말하기에는 양품 사진이 너무 적습니다. 불합격 임계값은 이런 점수에 흔히 쓰는 값입니다.',
    '良品图片太少，无法下结论：不合格阈值取此类分数的常用值。',
  ],
  [
    'There are too few normal pictures to say anything: the review threshold is the usual one for such scores.',
    'Für eine Aussage gibt es zu wenige Gutbilder: Die Prüfen-Schwelle ist die für solche Werte übliche.',
    '말하기에는 양품 사진이 너무 적습니다. 검토 임계값은 이런 점수에 흔히 쓰는 값입니다.',
    '良品图片太少，无法下结论：复检阈值取此类分数的常用值。',
  ],
  [
    'The fail threshold follows from the defects.',
    'Die Schlecht-Schwelle ergibt sich aus den Fehlern.',
    '불합격 임계값은 결함에서 정해집니다.',
    '不合格阈值由缺陷得出。',
  ],
  [
    'The review threshold follows from the defects.',
    'Die Prüfen-Schwelle ergibt sich aus den Fehlern.',
    '검토 임계값은 결함에서 정해집니다.',
    '复检阈值由缺陷得出。',
  ],
  [
    '{n:count} more normal pictures kept apart from training would turn this into a guarantee.',
    'Mit {n} weiteren, vom Training getrennten Gutbildern würde daraus eine Zusicherung.',
    '학습에서 제외한 양품 사진이 {n}장 더 있으면 보장할 수 있습니다.',
    '再有 {n} 张不参与训练的良品图片即可作出保证。',
  ],
  [
    '1 more normal picture kept apart from training would turn this into a guarantee.',
    'Mit 1 weiteren, vom Training getrennten Gutbild würde daraus eine Zusicherung.',
    '학습에서 제외한 양품 사진이 1장 더 있으면 보장할 수 있습니다.',
    '再有 1 张不参与训练的良品图片即可作出保证。',
  ],
  [
    'Parts of unknown classes are not recognised.',
    'Teile unbekannter Klassen werden nicht erkannt.',
    '알 수 없는 종류의 부품은 인식되지 않습니다.',
    '无法识别未知类别的零件。',
  ],
];
