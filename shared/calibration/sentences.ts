/**
 * Every statement of the calibration as a key with parameters, so that a screen can say it in any language, and in
 * English, so that a report or a terminal needs no catalogue.
 */

/** `key` names the template; `params` are raw numbers (rates as shares of 1) and names; `text` is English. */
export interface Sentence {
  key: SentenceKey;
  params: Readonly<Record<string, number | string>>;
  text: string;
}

/**
 * English templates. `{name}` prints as it is, `{name:percent}` a share as percent, `{name:number}` with four digits,
 * `{name:parts}` parts that are to be expected, of which tenths say enough.
 * Plurals are avoided: "parts: 3" reads in every language.
 */
export const sentenceTemplates = {
  // Guarantees
  escapeOrder:
    'With {confidence:percent} confidence at most {high:percent} of defective parts score below the threshold, whatever the distribution of scores (defects used: {n}).',
  falseRejectOrder:
    'With {confidence:percent} confidence at most {high:percent} of good parts reach the threshold, whatever the distribution of scores (good parts used: {n}).',
  escapeExact:
    '{count} escapes in {n} defects: with {confidence:percent} confidence between {low:percent} and {high:percent} of defective parts escape.',
  escapeExactUpper:
    '{count} escapes in {n} defects still allows up to {high:percent} at {confidence:percent} confidence.',
  falseRejectExact:
    '{count} false rejects in {n} good parts: with {confidence:percent} confidence between {low:percent} and {high:percent} of good parts are rejected.',
  falseRejectExactUpper:
    '{count} false rejects in {n} good parts still allows up to {high:percent} at {confidence:percent} confidence.',
  escapeBand:
    '{count} escapes in {n} defects: with {confidence:percent} confidence between {low:percent} and {high:percent} of defective parts escape, wherever the thresholds are put on these same parts.',
  falseRejectBand:
    '{count} false rejects in {n} good parts: with {confidence:percent} confidence between {low:percent} and {high:percent} of good parts are rejected, wherever the thresholds are put on these same parts.',
  bothTogether: 'Both statements hold together with {confidence:percent} confidence.',
  independence: 'All of this holds for parts drawn independently from the same production as those used here.',
  fewGroups:
    'The {parts} parts come from {groups} groups (lots, serial numbers) and resemble each other within one: they are worth about {worth:number} independent parts, and the limits above are too narrow by as much.',
  oneGroup: 'All {parts} parts come from one group (lot, serial number): nothing is known about others.',
  // Refusals
  noDefects: 'There are no defects, so nothing can be said about escapes. Defects needed: {moreDefects}.',
  noNormals: 'There are no good parts, so nothing can be said about false rejects. Good parts needed: {moreNormals}.',
  tooFewDefects:
    '{n} defects cannot show an escape rate of at most {rate:percent} with {confidence:percent} confidence, even if none escapes. Further defects needed: {moreDefects}.',
  tooFewNormals:
    '{n} good parts cannot show a false-reject rate of at most {rate:percent} with {confidence:percent} confidence, even if none is rejected. Further good parts needed: {moreNormals}.',
  tooFewForInterval:
    '{defects} defects and {normals} good parts leave the rates open (up to {worst:percent}): a threshold chosen from them means nothing. Further defects needed: {moreDefects}, further good parts: {moreNormals}.',
  scoresNotFinite: '{count} of {n} scores are not finite numbers; nothing is calibrated on them.',
  scoresEqual: 'All {n} scores are equal: they tell nothing apart, and no threshold can.',
  scoresUseless:
    'Defects do not score higher than good parts (AUROC at most {high:number} with {confidence:percent} confidence): either the labels are swapped or the model does not see these defects.',
  labelsContradict: '{count} pictures are labelled both good and defective, first "{example}": decide which they are.',
  rateOutOfRange: 'A {name} of {value} is not between 0 and 1.',
  rateImpossible: 'A {name} of {value} cannot be shown by any number of parts; give a share above 0 and below 1.',
  costImpossible: 'A {name} cost of {value} cannot be weighed: costs are finite and above 0.',
  costPassAll: 'At these costs and this defect rate the cheapest is to pass every part unseen: that is no inspection.',
  costFailAll: 'At these costs and this defect rate the cheapest is to let no part pass unseen: that is no inspection.',
  defectRateNone: 'With a defect rate of 0 there is nothing to find: no threshold is cheaper than passing every part.',
  defectRateAll: 'With a defect rate of 1 every part is bad: no threshold is cheaper than rejecting every part.',
  trainedOn: '{count} of {n} calibration pictures were trained on, first "{example}": their scores look too good.',
  reachable: 'What these parts can show: at most {high:percent} with {confidence:percent} confidence.',
  // Provenance
  heldOutUsed:
    '{count} of {n} pictures were held out of training: nothing was learned from them, but the scale of the scores was set with them.',
  nearDuplicates:
    '{count} of {n} pictures look like one that was trained on, first "{example}" like "{twin}": their scores may look too good.',
  notCompared: 'No training pictures were at hand, so only identical files could be recognised, not near-duplicates.',
  // Operating point
  notFiniteRejected:
    '{count} of {n} parts have no finite score; the station rejects such parts, and so they are counted here.',
  counts:
    'Of {normals} good parts {falseRejects} fail and {normalReviews} are reviewed; of {defects} defects {escapes} escape and {defectReviews} are reviewed.',
  perThousand:
    'Of 1,000 parts at a defect rate of {defectRate:percent}: {escapes:parts} escapes (up to {escapesHigh:parts}), {falseRejects:parts} false rejects (up to {falseRejectsHigh:parts}), {reviews:parts} reviews (up to {reviewsHigh:parts}).',
  perHour:
    'At {partsPerHour:number} parts an hour: {reviews:parts} reviews, {falseRejects:parts} false rejects, {escapes:parts} escapes an hour.',
  reviewersCatch: 'People must catch {defects:parts} defects among {reviews:parts} reviewed parts of 1,000.',
  defectRateZero: 'At a defect rate of 0 nothing can escape; the escape figures are 0 by definition.',
  defectRateOne: 'At a defect rate of 1 nothing can be rejected falsely; the false-reject figures are 0 by definition.',
  prevalenceFromSample:
    'No defect rate of the line was given; {defectRate:percent} is the share of defects among these pictures, hardly that of the line.',
  noInterval: 'There are no {what} among these pictures, so no rate of them is known.',
  reviewAboveFail:
    'The review threshold {review:number} is above the fail threshold {fail:number}: they were swapped back.',
  // Pooling
  classOwn: 'Class "{className}": its own threshold, from {normals} good parts and {defects} defects of its own.',
  classPartial:
    'Class "{className}": threshold of all classes, moved by {offset:number} (its own scores count {weight:percent}, all classes the rest), from {normals} good parts of its own. The guarantee holds for the mix of classes.',
  classPooled:
    'Class "{className}": threshold of all classes ({normals} good parts and {defects} defects of its own are too few).',
  classNone:
    'Class "{className}": no threshold, for neither it nor all classes together keep the policy ({normals} good parts and {defects} defects of its own).',
  // Unknown class
  unknownOrder:
    'With {confidence:percent} confidence at most {high:percent} of parts of known classes are taken for unknown (held-out good parts used: {n}).',
  unknownTooFew:
    '{n} good parts that took no part in training cannot show that at most {rate:percent} of known parts are taken for unknown, with {confidence:percent} confidence. Further good parts needed: {moreNormals}.',
  unknownClass:
    'The part looks like none of the known classes (distance {distance:number}, known parts reach {threshold:number}).',
  classUnchecked:
    'The model gives no class distance for this part, so whether its class is known could not be checked.',
  scoreNotFinite: 'The part has no finite score.',
  // Gates
  gateNonInferior:
    '{what} of {className}: the candidate loses {lost} and gains {gained} of {n} parts; with {confidence:percent} confidence the loss is at most {high:percent} (allowed: {margin:percent}).',
  gateTooFew:
    '{what} of {className}: {n} golden parts cannot show a loss of at most {margin:percent} with {confidence:percent} confidence. Further parts needed: {more}.',
  gateLossOpen:
    '{what} of {className}: the candidate loses {lost} and gains {gained} of {n} parts; the loss may be as large as {high:percent} (allowed: {margin:percent}).',
  gateHarm:
    '{what} of {className}: the candidate loses {lost} and gains only {gained} of {n} parts; this is worse than chance explains (exact McNemar p = {p:number}).',
  gateLossSeen:
    '{what} of {className}: the candidate loses {lost} and gains {gained} of {n} parts, {loss:percent} of them (allowed: {margin:percent}).',
  gateUnchanged:
    '{what} of {className}: no harm seen ({lost} lost, {gained} gained of {n} parts, exact McNemar p = {p:number}).',
  gateNothing: '{what} of {className}: there are no golden parts for it, so nothing is known.',
  gateClassMissing: 'The candidate does not know the class "{className}" of the active model.',
  gateClassUntested: 'The golden set has no parts of the class "{className}".',
  gateNotFinite: '{count} golden parts have no finite score from the {model} model; they count as rejected.',
  gateTrained:
    '{count} golden pictures were trained on by the {model} model, first "{example}": the comparison is void.',
  gateNoOther: 'No other model is active, so there is nothing to compare with.',
  gateNotCompared: 'The active model can not be compared with: {why}',
  latencyNoLimit: 'No recipe states a cycle time, so there is no limit.',
  latencyNoPictures: 'There are no pictures to time the model with.',
  latencyWithin:
    'With {confidence:percent} confidence 95 % of parts take at most {high:number} ms (measured p95 {p95:number} ms, cycle time {cycle:number} ms).',
  latencyBeyond:
    '95 % of parts may take up to {high:number} ms (measured p95 {p95:number} ms), more than the cycle time of {cycle:number} ms.',
  latencyTooFew:
    '{n} timed parts cannot bound the 95th percentile with {confidence:percent} confidence. Further parts needed: {more}.',
  parityKept:
    'Trainer and package agree: scores differ by at most {difference:number} (allowed: {tolerance:number}) on {pictures} pictures, no verdict changed.',
  parityBroken:
    'Trainer and package disagree: scores differ by up to {difference:number} (allowed: {tolerance:number}), {flips} verdicts changed on {pictures} pictures.',
  parityUnknown: 'The package says nothing usable about the agreement of trainer and package.',
  overridden: 'Refused, and overridden by {by} ({role}) on {at}: {reason}',
  // Shadow mode
  shadowAgreement:
    'The models agree on {agree} of {n} parts; with {confidence:percent} confidence they disagree on {low:percent} to {high:percent} of parts.',
  shadowOpen: 'Parts judged by both: {n}; asked for: {parts}. The comparison goes on.',
  shadowNone: 'No part was judged by both models yet.',
  shadowStricter: 'The candidate rejects {count} parts that the active model passes.',
  shadowLaxer: 'The candidate passes {count} parts that the active model rejects.',
} as const;

export type SentenceKey = keyof typeof sentenceTemplates;

/** Fills a template (of any language) with parameters; a name that is missing stays visible. */
export function fillTemplate(template: string, params: Readonly<Record<string, number | string>>): string {
  return template.replace(/\{(\w+)(?::(\w+))?\}/g, (whole, name: string, format: string | undefined) => {
    const value = params[name];
    if (value === undefined) return whole;
    if (typeof value === 'string') return value;
    if (format === 'percent') return percentText(value);
    if (format === 'parts') return partsText(value);
    return format === 'number' ? numberText(value) : String(value);
  });
}

/** A sentence as key and parameters, for screens in any language, and in English. */
export function sentence(key: SentenceKey, params: Readonly<Record<string, number | string>> = {}): Sentence {
  return { key, params, text: fillTemplate(sentenceTemplates[key], params) };
}

/** `7.2 %`: three digits at most; what is not 0 or 1 never reads so. */
export function percentText(share: number): string {
  if (share > 0 && share < 1e-6) return 'less than 0.0001 %';
  if (share < 1 && share > 1 - 1e-5) return 'more than 99.999 %';
  return `${Number((share * 100).toPrecision(share > 0.99 ? 5 : 3))} %`;
}

/** Four digits at most. */
function numberText(value: number): string {
  return Number(value.toPrecision(4)).toString();
}

/** Expected parts: tenths, and beyond a hundred whole ones. */
export function roundedParts(value: number): number {
  return Math.abs(value) < 99.95 ? Math.round(value * 10) / 10 : Math.round(value);
}

function partsText(value: number): string {
  return roundedParts(value).toString();
}
