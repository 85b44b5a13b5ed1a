import type { SentenceKey } from '../calibration/sentences.ts';

/** The calibration's sentences in simplified Chinese; places as in `sentenceTemplates`. */
export const zhCnSentences: Readonly<Record<SentenceKey, string>> = {
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
    '缺陷率为 {defectRate:percent} 时，每 1,000 个零件：漏检 {escapes:parts}（最多 {escapesHigh:parts}），误判 {falseRejects:parts}（最多 {falseRejectsHigh:parts}），复检 {reviews:parts}（最多 {reviewsHigh:parts}）。',
  perHour:
    '每小时 {partsPerHour:number} 个零件时：每小时复检 {reviews:parts}，误判 {falseRejects:parts}，漏检 {escapes:parts}。',
  reviewersCatch: '每 1,000 个零件中，人工需在 {reviews:parts} 个复检零件里找出 {defects:parts} 个缺陷。',
  defectRateZero: '缺陷率为 0 时不可能漏检，漏检数按定义为 0。',
  defectRateOne: '缺陷率为 1 时不可能误判，误判数按定义为 0。',
  prevalenceFromSample: '未给出产线的缺陷率；{defectRate:percent} 是这些图片中的缺陷比例，很可能不是产线的缺陷率。',
  noInterval: '这些图片中没有{what}，因此其比率未知。',
  reviewAboveFail: '复检阈值 {review:number} 高于不合格阈值 {fail:number}：已对调。',
  classOwn: '类别“{className}”：使用自己的阈值，依据其 {normals} 个良品和 {defects} 个缺陷。',
  classPartial:
    '类别“{className}”：所有类别的阈值偏移 {offset:number}（自身分数占 {weight:percent}，其余为所有类别），依据自身 {normals} 个良品。保证适用于各类别的混合。',
  classPooled: '类别“{className}”：使用所有类别的阈值（自身 {normals} 个良品和 {defects} 个缺陷太少）。',
  classNone: '类别“{className}”：无阈值，因其自身和所有类别合计都达不到要求（{normals} 个良品，{defects} 个缺陷）。',
  unknownOrder: '在 {confidence:percent} 置信度下，已知类别的零件最多 {high:percent} 被当作未知（所用留出良品：{n}）。',
  unknownTooFew:
    '{n} 个未参与训练的良品无法在 {confidence:percent} 置信度下证明已知零件最多 {rate:percent} 被当作未知。还需良品：{moreNormals}。',
  unknownClass: '该零件不像任何已知类别（距离 {distance:number}，已知零件至 {threshold:number}）。',
  classUnchecked: '模型未给出该零件的类别距离，无法检查其类别是否已知。',
  scoreNotFinite: '该零件没有有限的分数。',
  gateNonInferior:
    '{what}，{className}：新模型在 {n} 个零件中失去 {lost} 个、增加 {gained} 个；在 {confidence:percent} 置信度下损失最多 {high:percent}（允许 {margin:percent}）。',
  gateTooFew:
    '{what}，{className}：{n} 个黄金样本零件无法在 {confidence:percent} 置信度下证明损失不超过 {margin:percent}。还需零件：{more}。',
  gateLossOpen:
    '{what}，{className}：新模型在 {n} 个零件中失去 {lost} 个、增加 {gained} 个；损失可能高达 {high:percent}（允许 {margin:percent}）。',
  gateHarm:
    '{what}，{className}：新模型在 {n} 个零件中失去 {lost} 个、仅增加 {gained} 个；差于偶然所能解释的程度（精确 McNemar 检验 p = {p:number}）。',
  gateLossSeen:
    '{what}，{className}：新模型在 {n} 个零件中失去 {lost} 个、增加 {gained} 个，损失 {loss:percent}（允许 {margin:percent}）。',
  gateUnchanged:
    '{what}，{className}：未见变差（{n} 个零件中失去 {lost} 个、增加 {gained} 个，精确 McNemar 检验 p = {p:number}）。',
  gateNothing: '{what}，{className}：没有黄金样本零件，因此一无所知。',
  gateClassMissing: '新模型不认识在用模型的类别“{className}”。',
  gateClassUntested: '黄金样本中没有类别“{className}”的零件。',
  gateNotFinite: '{count} 个黄金样本零件没有模型（{model}）的有限分数；按拒绝计。',
  gateTrained: '{count} 张黄金样本图片曾被模型（{model}）学习，第一张为“{example}”：比较无效。',
  gateNoOther: '没有其他在用模型，无从比较。',
  gateNotCompared: '无法与在用模型比较：{why}',
  latencyWithin:
    '在 {confidence:percent} 置信度下 95 % 的零件最多需 {high:number} 毫秒（实测 p95 {p95:number} 毫秒，节拍 {cycle:number} 毫秒）。',
  latencyBeyond: '95 % 的零件可能需要 {high:number} 毫秒（实测 p95 {p95:number} 毫秒），超过节拍 {cycle:number} 毫秒。',
  latencyTooFew: '{n} 个计时零件无法在 {confidence:percent} 置信度下界定第 95 百分位。还需零件：{more}。',
  latencyNoLimit: '没有配方规定节拍，因此没有限制。',
  latencyNoPictures: '没有可用于计时的图片。',
  parityKept:
    '训练器与模型包一致：在 {pictures} 张图片上分数最多相差 {difference:number}（允许 {tolerance:number}），没有判定改变。',
  parityBroken:
    '训练器与模型包不一致：分数最多相差 {difference:number}（允许 {tolerance:number}），{pictures} 张图片中 {flips} 个判定改变。',
  parityUnknown: '模型包未给出训练器与模型包是否一致的可用信息。',
  overridden: '被拒绝，但由 {by}（{role}）于 {at} 放行：{reason}',
  shadowAgreement:
    '两个模型在 {n} 个零件中有 {agree} 个一致；在 {confidence:percent} 置信度下，{low:percent} 至 {high:percent} 的零件不一致。',
  shadowOpen: '两者都判定的零件：{n}；要求：{parts}。比较继续进行。',
  shadowNone: '还没有零件被两个模型都判定。',
  shadowStricter: '新模型拒绝了在用模型放行的 {count} 个零件。',
  shadowLaxer: '新模型放行了在用模型拒绝的 {count} 个零件。',
};
