import type { SentenceKey } from '../calibration/sentences.ts';

/** The calibration's sentences in Korean; places as in `sentenceTemplates`. */
export const koSentences: Readonly<Record<SentenceKey, string>> = {
  escapeOrder:
    '신뢰도 {confidence:percent}에서, 점수 분포와 관계없이 불량품의 최대 {high:percent}가 임계값 미만입니다 (사용한 불량: {n}개).',
  falseRejectOrder:
    '신뢰도 {confidence:percent}에서, 점수 분포와 관계없이 양품의 최대 {high:percent}가 임계값에 도달합니다 (사용한 양품: {n}개).',
  escapeExact:
    '불량 {n}개 중 유출 {count}개: 신뢰도 {confidence:percent}에서 불량품의 {low:percent}~{high:percent}가 유출됩니다.',
  escapeExactUpper: '불량 {n}개 중 유출 {count}개: 신뢰도 {confidence:percent}에서 최대 {high:percent}까지 가능합니다.',
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
    '불량률 {defectRate:percent}에서 부품 1,000개 중: 유출 {escapes:parts} (최대 {escapesHigh:parts}), 오불합격 {falseRejects:parts} (최대 {falseRejectsHigh:parts}), 확인 {reviews:parts} (최대 {reviewsHigh:parts}).',
  perHour:
    '시간당 부품 {partsPerHour:number}개에서: 시간당 확인 {reviews:parts}, 오불합격 {falseRejects:parts}, 유출 {escapes:parts}.',
  reviewersCatch: '사람이 1,000개 중 확인 대상 {reviews:parts}개에서 불량 {defects:parts}개를 찾아야 합니다.',
  defectRateZero: '불량률이 0이면 유출될 것이 없으므로 유출 수치는 항상 0입니다.',
  defectRateOne: '불량률이 1이면 잘못 불합격될 것이 없으므로 오불합격 수치는 항상 0입니다.',
  prevalenceFromSample:
    '라인의 불량률이 입력되지 않았습니다. {defectRate:percent}는 이 사진들 중의 비율이며 라인의 값은 아닐 것입니다.',
  noInterval: '이 사진들에는 {what}이(가) 없어 그 비율을 알 수 없습니다.',
  reviewAboveFail: '검토 임계값 {review:number}이(가) 불합격 임계값 {fail:number}보다 높아 서로 바꿨습니다.',
  classOwn: '"{className}" 클래스: 자체 임계값 (양품 {normals}개, 불량 {defects}개 기준).',
  classPartial:
    '"{className}" 클래스: 모든 클래스의 임계값을 {offset:number}만큼 옮김 (자체 점수 비중 {weight:percent}, 나머지는 모든 클래스), 자체 양품 {normals}개 기준. 보장은 클래스 혼합에 대해 성립합니다.',
  classPooled: '"{className}" 클래스: 모든 클래스의 임계값 (자체 양품 {normals}개, 불량 {defects}개로는 부족).',
  classNone:
    '"{className}" 클래스: 임계값 없음. 이 클래스도 모든 클래스도 기준을 지키지 못합니다 (양품 {normals}개, 불량 {defects}개).',
  unknownOrder:
    '신뢰도 {confidence:percent}에서, 알려진 클래스 부품의 최대 {high:percent}가 알 수 없는 것으로 판단됩니다 (사용한 양품: {n}개).',
  unknownTooFew:
    '학습에 쓰이지 않은 양품 {n}개로는 알려진 부품의 최대 {rate:percent}만 알 수 없는 것으로 판단됨을 신뢰도 {confidence:percent}로 보일 수 없습니다. 더 필요한 양품: {moreNormals}개.',
  unknownClass:
    '부품이 알려진 어떤 클래스와도 비슷하지 않습니다 (거리 {distance:number}, 알려진 부품은 {threshold:number}까지).',
  classUnchecked: '모델이 이 부품의 클래스 거리를 내지 않아 알려진 클래스인지 확인할 수 없습니다.',
  scoreNotFinite: '부품에 유한한 점수가 없습니다.',
  gateNonInferior:
    '{what}, {className}: 새 모델이 부품 {n}개 중 {lost}개를 잃고 {gained}개를 얻습니다. 신뢰도 {confidence:percent}에서 손실은 최대 {high:percent}입니다 (허용: {margin:percent}).',
  gateTooFew:
    '{what}, {className}: 골든 부품 {n}개로는 손실이 최대 {margin:percent}임을 신뢰도 {confidence:percent}로 보일 수 없습니다. 더 필요한 부품: {more}개.',
  gateLossOpen:
    '{what}, {className}: 새 모델이 부품 {n}개 중 {lost}개를 잃고 {gained}개를 얻습니다. 손실은 최대 {high:percent}일 수 있습니다 (허용: {margin:percent}).',
  gateHarm:
    '{what}, {className}: 새 모델이 부품 {n}개 중 {lost}개를 잃고 {gained}개만 얻습니다. 우연으로 설명되지 않게 나쁩니다 (정확 맥니마 검정 p = {p:number}).',
  gateLossSeen:
    '{what}, {className}: 새 모델이 부품 {n}개 중 {lost}개를 잃고 {gained}개를 얻어 손실 {loss:percent}입니다 (허용: {margin:percent}).',
  gateUnchanged:
    '{what}, {className}: 나빠진 점이 보이지 않습니다 (부품 {n}개 중 {lost}개 손실, {gained}개 증가, 정확 맥니마 검정 p = {p:number}).',
  gateNothing: '{what}, {className}: 골든 부품이 없어 알 수 없습니다.',
  gateClassMissing: '새 모델이 사용 중인 모델의 "{className}" 클래스를 알지 못합니다.',
  gateClassUntested: '골든 세트에 "{className}" 클래스의 부품이 없습니다.',
  gateNotFinite: '골든 부품 {count}개에 모델({model})의 유한한 점수가 없어 거부로 셉니다.',
  gateTrained: '골든 사진 {count}장을 모델({model})이 학습했습니다. 첫 번째는 "{example}"입니다. 비교는 무효입니다.',
  gateNoOther: '사용 중인 다른 모델이 없어 비교할 것이 없습니다.',
  gateNotCompared: '사용 중인 모델과 비교할 수 없습니다: {why}',
  latencyWithin:
    '신뢰도 {confidence:percent}에서 부품의 95 %가 최대 {high:number} ms 걸립니다 (측정 p95 {p95:number} ms, 주기 {cycle:number} ms).',
  latencyBeyond:
    '부품의 95 %가 최대 {high:number} ms 걸릴 수 있어 (측정 p95 {p95:number} ms) 주기 {cycle:number} ms를 넘습니다.',
  latencyTooFew:
    '측정한 부품 {n}개로는 95백분위를 신뢰도 {confidence:percent}로 제한할 수 없습니다. 더 필요한 부품: {more}개.',
  latencyNoLimit: '주기를 정한 레시피가 없어 제한이 없습니다.',
  latencyNoPictures: '시간을 잴 사진이 없습니다.',
  parityKept:
    '학습기와 패키지가 일치합니다: 사진 {pictures}장에서 점수 차이는 최대 {difference:number}(허용: {tolerance:number})이고 바뀐 판정은 없습니다.',
  parityBroken:
    '학습기와 패키지가 일치하지 않습니다: 점수 차이가 최대 {difference:number}(허용: {tolerance:number})이고 사진 {pictures}장에서 판정 {flips}건이 바뀌었습니다.',
  parityUnknown: '학습기와 패키지의 일치에 대해 패키지에 쓸 만한 정보가 없습니다.',
  overridden: '거부되었으나 {at}에 {by} ({role})이(가) 승인: {reason}',
  shadowAgreement:
    '두 모델이 부품 {n}개 중 {agree}개에서 일치합니다. 신뢰도 {confidence:percent}에서 부품의 {low:percent}~{high:percent}에서 다릅니다.',
  shadowOpen: '두 모델이 판정한 부품: {n}개, 요청: {parts}개. 비교가 계속됩니다.',
  shadowNone: '아직 두 모델이 모두 판정한 부품이 없습니다.',
  shadowStricter: '새 모델은 사용 중인 모델이 합격시킨 부품 {count}개를 거부합니다.',
  shadowLaxer: '새 모델은 사용 중인 모델이 거부한 부품 {count}개를 합격시킵니다.',
};
