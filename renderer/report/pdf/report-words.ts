import type { Verdict } from '../../../shared/detection.ts';
import type { DriftCause } from '../../../shared/drift/types.ts';
import type { StationModel } from '../../../shared/station/domain.ts';

/** The words of the printed reports. One record per language; the type makes a missing word an error. */
export interface ReportWords {
  locale: string;
  lotReport: string;
  partCertificate: string;
  modelCard: string;
  station: string;
  project: string;
  lot: string;
  serial: string;
  class: string;
  period: string;
  printed: string;
  allLots: string;
  parts: string;
  share: string;
  interval: string;
  verdicts: Record<Verdict, string>;
  verdict: string;
  yieldOverTime: string;
  yieldAxis: string;
  timeAxis: string;
  defects: string;
  partsAxis: string;
  person: string;
  personAnswered: string;
  falseRejects: string;
  escapes: string;
  /** Heads of columns: of good pictures, and of defects. */
  goodFailed: string;
  defectsPassed: string;
  failedParts: string;
  more: (count: number) => string;
  time: string;
  score: string;
  reviewFrom: string;
  failFrom: string;
  model: string;
  modelHash: string;
  basis: string;
  unknownClasses: string;
  override: string;
  picture: string;
  heatMap: string;
  /** The most suspicious place. */
  hottest: string;
  /** @param x, y 0..100 from the left and the top */
  placeAt: (x: number, y: number, areaPx: string) => string;
  pictureHash: string;
  local: string;
  semantic: string;
  memory: string;
  rawScore: string;
  scoreHint: string;
  reason: string;
  /** Note of a part that was judged while the drift guard's alarm stood. */
  notCovered(cause: DriftCause): string;
  trainedOn: (pictures: number) => string;
  trainedAt: string;
  trainedBy: string;
  preset: string;
  engine: string;
  parity: string;
  parityStatement: (difference: string, flips: number, pictures: number) => string;
  perClass: string;
  notMeasured: string;
  thresholdChanges: string;
  none: string;
  /** Who did what nobody did: the station by itself. */
  byItself: string;
  printedBy: string;
  /** What the list is limited to. */
  selection: string;
  serialBegins: (beginning: string) => string;
  personIs: Record<'none' | 'pass' | 'fail' | 'disagrees', string>;
  firstAndLast: string;
  file: string;
  similar: string;
  /** @param review, fail on the scale whose fail threshold is 50 */
  heatLegend: (review: string, fail: string) => string;
  lookedAt: string;
  /** @param x, y, width, height 0..100 of the picture */
  lookedAtPart: (x: number, y: number, width: number, height: number) => string;
  ignoredPlaces: (count: number) => string;
  classDistance: string;
  unknownFrom: (distance: string, limit: string) => string;
  thresholds: string;
  since: string;
  setBy: string;
  /** Reason of the thresholds that came with the model. */
  asTrained: string;
  takenBack: string;
  what: string;
  signature: string;
  nameAndDate: string;
  presets: Record<string, string>;
  modelState: string;
  modelStates: Record<StationModel['state'], string>;
  gates: string;
  gateNames: Record<string, string>;
  gatePassed: string;
  gateRefused: string;
  learnedFrom: string;
  snapshotHash: string;
  forThresholds: string;
  allClasses: string;
  scores: string;
  good: string;
  defective: string;
  scoreAxis: string;
  picturesAxis: string;
  pictures: string;
  /** Parts beyond what one report reads. */
  onlyNewest: (count: string) => string;
}
