/** What limits a study or says how to read it. `{name}` prints a parameter. */
export const noteTemplates = {
  noDefects: 'There are no defective parts: misses (escapes) can not be measured.',
  noGood: 'There are no good parts: false alarms can not be measured.',
  fewParts: '{parts} parts are few: 20 to 50 are usual, and the intervals are wide.',
  oneSided: '{percent} % of the parts are defective: kappa means most when it is between a quarter and three quarters.',
  oneAppraiser: 'With one appraiser there is no agreement between appraisers.',
  oneRepeat: 'With one repeat there is no agreement within an appraiser.',
  modelReview: 'The model: a part that it wants to be looked at counts as called defective.',
  samePicture: 'The model saw the same picture of a part again: that it agrees with itself says nothing.',
  ownReference: 'What {parts} of the parts are was said by {appraiser}, who also judged here.',
} as const;

export type StudyNoteKey = keyof typeof noteTemplates;

/** A remark on a study: key and parameters for screens in any language, and the English text. */
export interface StudyNote {
  key: StudyNoteKey;
  params: Record<string, number | string>;
  text: string;
}

/** A note as key and parameters, for screens in any language, and in English. */
export function studyNote(key: StudyNoteKey, params: StudyNote['params'] = {}): StudyNote {
  const text = noteTemplates[key].replace(/\{(\w+)\}/g, (_, name: string) => String(params[name] ?? ''));
  return { key, params, text };
}
