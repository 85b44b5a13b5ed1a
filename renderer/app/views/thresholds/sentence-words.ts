import type { SentenceKey } from '../../../../shared/calibration/sentences.ts';

/**
 * The calibration's sentences about thresholds in the other languages. They stand here and not in the catalogue because
 * their places carry a format (`{high:percent}`), which is no syntax of the catalogue's. English comes with the sentence.
 */
export type ThresholdSentenceKey = Extract<
  SentenceKey,
  | 'escapeOrder'
  | 'falseRejectOrder'
  | 'escapeExact'
  | 'escapeExactUpper'
  | 'falseRejectExact'
  | 'falseRejectExactUpper'
  | 'escapeBand'
  | 'falseRejectBand'
  | 'bothTogether'
  | 'independence'
  | 'fewGroups'
  | 'oneGroup'
  | 'noDefects'
  | 'noNormals'
  | 'tooFewDefects'
  | 'tooFewNormals'
  | 'tooFewForInterval'
  | 'scoresNotFinite'
  | 'scoresEqual'
  | 'scoresUseless'
  | 'labelsContradict'
  | 'rateOutOfRange'
  | 'rateImpossible'
  | 'costImpossible'
  | 'costPassAll'
  | 'costFailAll'
  | 'defectRateNone'
  | 'defectRateAll'
  | 'trainedOn'
  | 'reachable'
  | 'heldOutUsed'
  | 'nearDuplicates'
  | 'notCompared'
  | 'notFiniteRejected'
  | 'counts'
  | 'perThousand'
  | 'perHour'
  | 'reviewersCatch'
  | 'defectRateZero'
  | 'defectRateOne'
  | 'prevalenceFromSample'
  | 'noInterval'
  | 'reviewAboveFail'
>;
export type SentenceLanguage = 'de' | 'ko' | 'zh-CN';

export const sentenceWords: Readonly<Record<SentenceLanguage, Readonly<Record<ThresholdSentenceKey, string>>>> = {
  de: {
    escapeOrder:
      'Mit {confidence:percent} Sicherheit liegen höchstens {high:percent} der fehlerhaften Teile unter der Schwelle, wie auch immer die Werte verteilt sind (verwendete Fehler: {n}).',
    falseRejectOrder:
      'Mit {confidence:percent} Sicherheit erreichen höchstens {high:percent} der Gutteile die Schwelle, wie auch immer die Werte verteilt sind (verwendete Gutteile: {n}).',
    escapeExact:
      'Schlupf: {count} von {n} Fehlern. Mit {confidence:percent} Sicherheit gehen zwischen {low:percent} und {high:percent} der fehlerhaften Teile durch.',
    escapeExactUpper:
      'Schlupf: {count} von {n} Fehlern. Möglich sind noch bis zu {high:percent}, mit {confidence:percent} Sicherheit.',
    falseRejectExact:
      'Pseudofehler: {count} von {n} Gutteilen. Mit {confidence:percent} Sicherheit werden zwischen {low:percent} und {high:percent} der Gutteile abgelehnt.',
    falseRejectExactUpper:
      'Pseudofehler: {count} von {n} Gutteilen. Möglich sind noch bis zu {high:percent}, mit {confidence:percent} Sicherheit.',
    escapeBand:
      'Schlupf: {count} von {n} Fehlern. Mit {confidence:percent} Sicherheit gehen zwischen {low:percent} und {high:percent} der fehlerhaften Teile durch, gleich wo die Schwellen an diesen Teilen gesetzt werden.',
    falseRejectBand:
      'Pseudofehler: {count} von {n} Gutteilen. Mit {confidence:percent} Sicherheit werden zwischen {low:percent} und {high:percent} der Gutteile abgelehnt, gleich wo die Schwellen an diesen Teilen gesetzt werden.',
    bothTogether: 'Beide Aussagen gelten zusammen mit {confidence:percent} Sicherheit.',
    independence: 'All das gilt für Teile, die unabhängig aus derselben Fertigung stammen wie die hier verwendeten.',
    fewGroups:
      'Die {parts} Teile stammen aus {groups} Gruppen (Losen, Seriennummern) und ähneln sich darin: Sie zählen wie etwa {worth:number} unabhängige Teile, und die Grenzen oben sind entsprechend zu eng.',
    oneGroup: 'Alle {parts} Teile stammen aus einer Gruppe (Los, Seriennummer): Über andere ist damit nichts bekannt.',
    noDefects: 'Es gibt keine Fehler, also lässt sich über Schlupf nichts sagen. Nötige Fehler: {moreDefects}.',
    noNormals:
      'Es gibt keine Gutteile, also lässt sich über Pseudofehler nichts sagen. Nötige Gutteile: {moreNormals}.',
    tooFewDefects:
      '{n} Fehler können einen Schlupf von höchstens {rate:percent} nicht mit {confidence:percent} Sicherheit zeigen, auch wenn keiner durchgeht. Weitere nötige Fehler: {moreDefects}.',
    tooFewNormals:
      '{n} Gutteile können höchstens {rate:percent} Pseudofehler nicht mit {confidence:percent} Sicherheit zeigen, auch wenn keines abgelehnt wird. Weitere nötige Gutteile: {moreNormals}.',
    tooFewForInterval:
      '{defects} Fehler und {normals} Gutteile lassen die Anteile offen (bis zu {worst:percent}): Eine daraus gewählte Schwelle besagt nichts. Weitere nötige Fehler: {moreDefects}, weitere Gutteile: {moreNormals}.',
    scoresNotFinite: '{count} von {n} Werten sind keine endlichen Zahlen; daran wird nichts eingestellt.',
    scoresEqual: 'Alle {n} Werte sind gleich: Sie unterscheiden nichts, und keine Schwelle kann es.',
    scoresUseless:
      'Fehler haben keine höheren Werte als Gutteile (AUROC höchstens {high:number} mit {confidence:percent} Sicherheit): Entweder sind die Beurteilungen vertauscht, oder das Modell sieht diese Fehler nicht.',
    labelsContradict:
      '{count} Bilder sind zugleich als gut und als fehlerhaft beurteilt, zuerst „{example}“: Bitte entscheiden, was gilt.',
    rateOutOfRange: '{name}: {value} liegt nicht zwischen 0 und 1.',
    rateImpossible:
      '{name}: {value} lässt sich mit keiner Zahl von Teilen zeigen; ein Anteil über 0 und unter 1 ist nötig.',
    costImpossible: '{name}: Kosten von {value} lassen sich nicht abwägen; Kosten sind endlich und über 0.',
    costPassAll:
      'Bei diesen Kosten und diesem Fehleranteil ist es am billigsten, jedes Teil ungesehen durchzulassen: Das ist keine Prüfung.',
    costFailAll:
      'Bei diesen Kosten und diesem Fehleranteil ist es am billigsten, kein Teil ungesehen durchzulassen: Das ist keine Prüfung.',
    defectRateNone:
      'Bei einem Fehleranteil von 0 gibt es nichts zu finden: Keine Schwelle ist billiger, als alles durchzulassen.',
    defectRateAll:
      'Bei einem Fehleranteil von 1 ist jedes Teil schlecht: Keine Schwelle ist billiger, als alles abzulehnen.',
    trainedOn: 'Aus {count} von {n} Bildern wurde gelernt, zuerst „{example}“: Ihre Werte sehen zu gut aus.',
    reachable: 'Was diese Teile zeigen können: höchstens {high:percent} mit {confidence:percent} Sicherheit.',
    heldOutUsed:
      '{count} von {n} Bildern waren beim Training zurückgelegt: Gelernt wurde daraus nichts, aber der Maßstab der Werte wurde an ihnen gesetzt.',
    nearDuplicates:
      '{count} von {n} Bildern gleichen einem, aus dem gelernt wurde, zuerst „{example}“ dem Bild „{twin}“: Ihre Werte sehen vielleicht zu gut aus.',
    notCompared: 'Es waren keine Trainingsbilder zur Hand: Nur gleiche Dateien ließen sich erkennen, keine ähnlichen.',
    notFiniteRejected:
      '{count} von {n} Teilen haben keinen endlichen Wert; die Station lehnt solche Teile ab, und so zählen sie hier.',
    counts:
      'Von {normals} Gutteilen fallen {falseRejects} durch und {normalReviews} werden angesehen; von {defects} Fehlern gehen {escapes} durch und {defectReviews} werden angesehen.',
    perThousand:
      'Von 1.000 Teilen bei einem Fehleranteil von {defectRate:percent}: Schlupf {escapes:number} (bis {escapesHigh:number}), Pseudofehler {falseRejects:number} (bis {falseRejectsHigh:number}), anzusehen {reviews:number} (bis {reviewsHigh:number}).',
    perHour:
      'Bei {partsPerHour:number} Teilen je Stunde: anzusehen {reviews:number}, Pseudofehler {falseRejects:number}, Schlupf {escapes:number} je Stunde.',
    reviewersCatch:
      'Menschen müssen unter {reviews:number} angesehenen Teilen von 1.000 die {defects:number} Fehler finden.',
    defectRateZero: 'Bei einem Fehleranteil von 0 kann nichts durchgehen; der Schlupf ist dann stets 0.',
    defectRateOne:
      'Bei einem Fehleranteil von 1 kann nichts zu Unrecht abgelehnt werden; Pseudofehler sind dann stets 0.',
    prevalenceFromSample:
      'Der Fehleranteil der Linie ist nicht angegeben; {defectRate:percent} ist der Anteil unter diesen Bildern, kaum der der Linie.',
    noInterval: 'Unter diesen Bildern gibt es keine {what}, also ist kein Anteil davon bekannt.',
    reviewAboveFail:
      'Die Prüfen-Schwelle {review:number} liegt über der Schlecht-Schwelle {fail:number}: Sie wurden zurückgetauscht.',
  },
  ko: {
    escapeOrder:
      '신뢰도 {confidence:percent}에서, 점수 분포와 관계없이 불량품의 최대 {high:percent}가 임계값 미만입니다 (사용한 불량: {n}개).',
    falseRejectOrder:
      '신뢰도 {confidence:percent}에서, 점수 분포와 관계없이 양품의 최대 {high:percent}가 임계값에 도달합니다 (사용한 양품: {n}개).',
    escapeExact:
      '불량 {n}개 중 유출 {count}개: 신뢰도 {confidence:percent}에서 불량품의 {low:percent}~{high:percent}가 유출됩니다.',
    escapeExactUpper:
      '불량 {n}개 중 유출 {count}개: 신뢰도 {confidence:percent}에서 최대 {high:percent}까지 가능합니다.',
    falseRejectExact:
      '양품 {n}개 중 오불합격 {count}개: 신뢰도 {confidence:percent}에서 양품의 {low:percent}~{high:percent}가 불합격됩니다.',
    falseRejectExactUpper:
      '양품 {n}개 중 오불합격 {count}개: 신뢰도 {confidence:percent}에서 최대 {high:percent}까지 가능합니다.',
    escapeBand:
      '불량 {n}개 중 유출 {count}개: 같은 부품에서 임계값을 어디에 두든 신뢰도 {confidence:percent}에서 불량품의 {low:percent}~{high:percent}가 유출됩니다.',
    falseRejectBand:
      '양품 {n}개 중 오불합격 {count}개: 같은 부품에서 임계값을 어디에 두든 신뢰도 {confidence:percent}에서 양품의 {low:percent}~{high:percent}가 불합격됩니다.',
    bothTogether: '두 내용이 함께 신뢰도 {confidence:percent}로 성립합니다.',
    independence: '이 모든 내용은 여기 사용한 것과 같은 생산에서 독립적으로 뽑은 부품에 대해 성립합니다.',
    fewGroups:
      '부품 {parts}개는 {groups}개 그룹(로트, 일련번호)에서 왔고 그룹 안에서는 서로 비슷합니다. 독립된 부품 약 {worth:number}개에 해당하므로 위의 한계는 그만큼 좁게 잡힌 것입니다.',
    oneGroup: '부품 {parts}개가 모두 한 그룹(로트, 일련번호)에서 왔습니다. 다른 그룹에 대해서는 알 수 없습니다.',
    noDefects: '불량이 없어 유출에 대해 말할 수 없습니다. 필요한 불량: {moreDefects}개.',
    noNormals: '양품이 없어 오불합격에 대해 말할 수 없습니다. 필요한 양품: {moreNormals}개.',
    tooFewDefects:
      '불량 {n}개로는 하나도 유출되지 않아도 유출률 {rate:percent} 이하를 신뢰도 {confidence:percent}로 보일 수 없습니다. 더 필요한 불량: {moreDefects}개.',
    tooFewNormals:
      '양품 {n}개로는 하나도 불합격되지 않아도 오불합격률 {rate:percent} 이하를 신뢰도 {confidence:percent}로 보일 수 없습니다. 더 필요한 양품: {moreNormals}개.',
    tooFewForInterval:
      '불량 {defects}개와 양품 {normals}개로는 비율이 정해지지 않습니다 (최대 {worst:percent}). 여기서 고른 임계값은 의미가 없습니다. 더 필요한 불량: {moreDefects}개, 양품: {moreNormals}개.',
    scoresNotFinite: '점수 {n}개 중 {count}개가 유한한 수가 아니어서 보정에 쓸 수 없습니다.',
    scoresEqual: '점수 {n}개가 모두 같아 아무것도 구별하지 못하며, 어떤 임계값도 소용없습니다.',
    scoresUseless:
      '불량의 점수가 양품보다 높지 않습니다 (신뢰도 {confidence:percent}에서 AUROC 최대 {high:number}). 판정이 뒤바뀌었거나 모델이 이 불량을 보지 못합니다.',
    labelsContradict:
      '사진 {count}장이 양품과 불량으로 동시에 판정되었습니다. 첫 번째는 "{example}"입니다. 하나로 정하세요.',
    rateOutOfRange: '{name}: {value}은(는) 0과 1 사이가 아닙니다.',
    rateImpossible: '{name}: {value}은(는) 부품이 아무리 많아도 보일 수 없습니다. 0보다 크고 1보다 작은 값을 넣으세요.',
    costImpossible: '{name}: 비용 {value}은(는) 비교할 수 없습니다. 비용은 0보다 크고 유한해야 합니다.',
    costPassAll: '이 비용과 불량률에서는 모든 부품을 보지 않고 합격시키는 것이 가장 쌉니다. 그것은 검사가 아닙니다.',
    costFailAll: '이 비용과 불량률에서는 어떤 부품도 그냥 통과시키지 않는 것이 가장 쌉니다. 그것은 검사가 아닙니다.',
    defectRateNone: '불량률이 0이면 찾을 것이 없습니다. 모두 합격시키는 것보다 싼 임계값은 없습니다.',
    defectRateAll: '불량률이 1이면 모든 부품이 불량입니다. 모두 불합격시키는 것보다 싼 임계값은 없습니다.',
    trainedOn: '사진 {n}장 중 {count}장은 학습에 쓰였습니다. 첫 번째는 "{example}"입니다. 점수가 너무 좋게 나옵니다.',
    reachable: '이 부품들로 보일 수 있는 값: 신뢰도 {confidence:percent}에서 최대 {high:percent}.',
    heldOutUsed: '사진 {n}장 중 {count}장은 학습에서 제외되었지만 점수의 눈금은 이 사진들로 정해졌습니다.',
    nearDuplicates:
      '사진 {n}장 중 {count}장이 학습에 쓰인 사진과 비슷합니다. 첫 번째는 "{example}"와(과) "{twin}"입니다. 점수가 너무 좋게 나올 수 있습니다.',
    notCompared: '학습 사진이 없어 똑같은 파일만 찾을 수 있었고, 비슷한 사진은 찾지 못했습니다.',
    notFiniteRejected:
      '부품 {n}개 중 {count}개에 유한한 점수가 없습니다. 스테이션은 이런 부품을 불합격시키며 여기서도 그렇게 셉니다.',
    counts:
      '양품 {normals}개 중 {falseRejects}개가 불합격, {normalReviews}개가 확인 대상입니다. 불량 {defects}개 중 {escapes}개가 유출, {defectReviews}개가 확인 대상입니다.',
    perThousand:
      '불량률 {defectRate:percent}에서 부품 1,000개 중: 유출 {escapes:number} (최대 {escapesHigh:number}), 오불합격 {falseRejects:number} (최대 {falseRejectsHigh:number}), 확인 {reviews:number} (최대 {reviewsHigh:number}).',
    perHour:
      '시간당 부품 {partsPerHour:number}개에서: 시간당 확인 {reviews:number}, 오불합격 {falseRejects:number}, 유출 {escapes:number}.',
    reviewersCatch: '사람이 1,000개 중 확인 대상 {reviews:number}개에서 불량 {defects:number}개를 찾아야 합니다.',
    defectRateZero: '불량률이 0이면 유출될 것이 없으므로 유출 수치는 항상 0입니다.',
    defectRateOne: '불량률이 1이면 잘못 불합격될 것이 없으므로 오불합격 수치는 항상 0입니다.',
    prevalenceFromSample:
      '라인의 불량률이 입력되지 않았습니다. {defectRate:percent}는 이 사진들 중의 비율이며 라인의 값은 아닐 것입니다.',
    noInterval: '이 사진들에는 {what}이(가) 없어 그 비율을 알 수 없습니다.',
    reviewAboveFail: '검토 임계값 {review:number}이(가) 불합격 임계값 {fail:number}보다 높아 서로 바꿨습니다.',
  },
  'zh-CN': {
    escapeOrder:
      '在 {confidence:percent} 置信度下，无论分数如何分布，最多 {high:percent} 的缺陷零件低于阈值（所用缺陷：{n}）。',
    falseRejectOrder:
      '在 {confidence:percent} 置信度下，无论分数如何分布，最多 {high:percent} 的良品达到阈值（所用良品：{n}）。',
    escapeExact:
      '{n} 个缺陷中漏检 {count} 个：在 {confidence:percent} 置信度下，{low:percent} 至 {high:percent} 的缺陷零件会漏检。',
    escapeExactUpper: '{n} 个缺陷中漏检 {count} 个：在 {confidence:percent} 置信度下仍可能高达 {high:percent}。',
    falseRejectExact:
      '{n} 个良品中误判 {count} 个：在 {confidence:percent} 置信度下，{low:percent} 至 {high:percent} 的良品会被误判。',
    falseRejectExactUpper: '{n} 个良品中误判 {count} 个：在 {confidence:percent} 置信度下仍可能高达 {high:percent}。',
    escapeBand:
      '{n} 个缺陷中漏检 {count} 个：无论阈值设在这些零件的何处，在 {confidence:percent} 置信度下，{low:percent} 至 {high:percent} 的缺陷零件会漏检。',
    falseRejectBand:
      '{n} 个良品中误判 {count} 个：无论阈值设在这些零件的何处，在 {confidence:percent} 置信度下，{low:percent} 至 {high:percent} 的良品会被误判。',
    bothTogether: '以上两点同时成立的置信度为 {confidence:percent}。',
    independence: '以上结论适用于与此处所用零件来自同一生产过程、且相互独立的零件。',
    fewGroups:
      '这 {parts} 个零件来自 {groups} 个组（批次、序列号），组内彼此相似：只相当于约 {worth:number} 个独立零件，上述界限因此偏窄。',
    oneGroup: '全部 {parts} 个零件来自同一组（批次、序列号）：对其他组一无所知。',
    noDefects: '没有缺陷，因此无法说明漏检情况。所需缺陷：{moreDefects}。',
    noNormals: '没有良品，因此无法说明误判情况。所需良品：{moreNormals}。',
    tooFewDefects:
      '即使没有漏检，{n} 个缺陷也无法在 {confidence:percent} 置信度下证明漏检率不超过 {rate:percent}。还需缺陷：{moreDefects}。',
    tooFewNormals:
      '即使没有误判，{n} 个良品也无法在 {confidence:percent} 置信度下证明误判率不超过 {rate:percent}。还需良品：{moreNormals}。',
    tooFewForInterval:
      '{defects} 个缺陷和 {normals} 个良品无法确定比率（最高可达 {worst:percent}）：由此选出的阈值没有意义。还需缺陷：{moreDefects}，良品：{moreNormals}。',
    scoresNotFinite: '{n} 个分数中有 {count} 个不是有限数，不能用于校准。',
    scoresEqual: '全部 {n} 个分数相同：无法区分任何零件，任何阈值都做不到。',
    scoresUseless:
      '缺陷的分数并不高于良品（在 {confidence:percent} 置信度下 AUROC 最多 {high:number}）：要么标注颠倒了，要么模型看不到这些缺陷。',
    labelsContradict: '{count} 张图片同时被标为良品和缺陷，第一张为“{example}”：请确定其一。',
    rateOutOfRange: '{name}：{value} 不在 0 与 1 之间。',
    rateImpossible: '{name}：无论多少零件都无法证明 {value}；请输入大于 0 且小于 1 的值。',
    costImpossible: '{name}：成本 {value} 无法权衡；成本必须是大于 0 的有限数。',
    costPassAll: '按这些成本和缺陷率，最便宜的做法是不看就放行所有零件：那不是检测。',
    costFailAll: '按这些成本和缺陷率，最便宜的做法是不放行任何未看过的零件：那不是检测。',
    defectRateNone: '缺陷率为 0 时没有可找的缺陷：任何阈值都不比全部放行便宜。',
    defectRateAll: '缺陷率为 1 时每个零件都是坏的：任何阈值都不比全部拒绝便宜。',
    trainedOn: '{n} 张图片中有 {count} 张参与过训练，第一张为“{example}”：其分数过于乐观。',
    reachable: '这些零件能证明的是：在 {confidence:percent} 置信度下最多 {high:percent}。',
    heldOutUsed: '{n} 张图片中有 {count} 张未参与训练，但分数的刻度是用它们确定的。',
    nearDuplicates: '{n} 张图片中有 {count} 张与训练过的图片相似，第一张为“{example}”与“{twin}”：其分数可能过于乐观。',
    notCompared: '没有训练图片可供比较，因此只能识别相同的文件，不能识别相似的图片。',
    notFiniteRejected: '{n} 个零件中有 {count} 个没有有限的分数；工位会拒绝这类零件，此处也按此计算。',
    counts:
      '{normals} 个良品中 {falseRejects} 个不合格、{normalReviews} 个需复检；{defects} 个缺陷中 {escapes} 个漏检、{defectReviews} 个需复检。',
    perThousand:
      '缺陷率为 {defectRate:percent} 时，每 1,000 个零件：漏检 {escapes:number}（最多 {escapesHigh:number}），误判 {falseRejects:number}（最多 {falseRejectsHigh:number}），复检 {reviews:number}（最多 {reviewsHigh:number}）。',
    perHour:
      '每小时 {partsPerHour:number} 个零件时：每小时复检 {reviews:number}，误判 {falseRejects:number}，漏检 {escapes:number}。',
    reviewersCatch: '每 1,000 个零件中，人工需在 {reviews:number} 个复检零件里找出 {defects:number} 个缺陷。',
    defectRateZero: '缺陷率为 0 时不可能漏检，漏检数按定义为 0。',
    defectRateOne: '缺陷率为 1 时不可能误判，误判数按定义为 0。',
    prevalenceFromSample: '未给出产线的缺陷率；{defectRate:percent} 是这些图片中的缺陷比例，很可能不是产线的缺陷率。',
    noInterval: '这些图片中没有{what}，因此其比率未知。',
    reviewAboveFail: '复检阈值 {review:number} 高于不合格阈值 {fail:number}：已对调。',
  },
};

/** Names that a sentence carries as a parameter. */
export const sentenceNames: Readonly<Record<SentenceLanguage, Readonly<Record<string, string>>>> = {
  de: {
    confidence: 'Sicherheit',
    'limit of the other rate': 'Grenze des anderen Anteils',
    'false-reject rate': 'Anteil der Pseudofehler',
    'escape rate': 'Schlupf',
    'defect rate': 'Fehleranteil',
    escape: 'Schlupf',
    'false-reject': 'Pseudofehler',
    review: 'Blick',
    defects: 'Fehler',
    'good parts': 'Gutteile',
  },
  ko: {
    confidence: '신뢰도',
    'limit of the other rate': '다른 비율의 상한',
    'false-reject rate': '오불합격률',
    'escape rate': '유출률',
    'defect rate': '불량률',
    escape: '유출',
    'false-reject': '오불합격',
    review: '확인',
    defects: '불량',
    'good parts': '양품',
  },
  'zh-CN': {
    confidence: '置信度',
    'limit of the other rate': '另一比率的上限',
    'false-reject rate': '误判率',
    'escape rate': '漏检率',
    'defect rate': '缺陷率',
    escape: '漏检',
    'false-reject': '误判',
    review: '复检',
    defects: '缺陷',
    'good parts': '良品',
  },
};
