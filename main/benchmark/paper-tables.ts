/**
 * What the paper reports (arXiv 2509.24448v1), re-tabulated in method-spec section 9; image AUROC in percent. Null: not
 * reported, or lost with the cell of the table that our source misses. Tables 14 and 15 (class by class) are in the
 * paper's supplementary, which could not be had: there are no values per class.
 */
import type { ProtocolId } from './protocol-ids.ts';

export type Setting = 'multi-class' | 'single-class';

/** One method's value beside ours. */
export interface PeerValue {
  method: string;
  value: number;
  /** What is uncertain about it. */
  note?: string;
}

type Row = Readonly<Record<string, number | null>>;

const multiMethods: Readonly<Partial<Record<ProtocolId, Row>>> = {
  'mvtec-ad': {
    Transformaly: 87.8,
    MSC: 71.1,
    RD4AD: 94.6,
    SimpleNet: 95.3,
    DeSTSeg: 89.2,
    ReContrast: 98.3,
    UniAD: 96.5,
    Dinomaly: 99.2,
    GeneralAD: 56.8,
    Ours: 99.7,
  },
  visa: {
    KNN: 81.1,
    Transformaly: 65.0,
    RD4AD: 92.4,
    SimpleNet: 87.2,
    DeSTSeg: 88.9,
    UniAD: 88.8,
    Dinomaly: 98.7,
    GeneralAD: 89.7,
    Ours: 98.8,
  },
  'mvtec-loco': {
    KNN: 74.8,
    Transformaly: 57.2,
    RD4AD: 73.7,
    SimpleNet: 81.8,
    DeSTSeg: 81.2,
    UniAD: 78.7,
    Dinomaly: 82.0,
    GeneralAD: 82.4,
    Ours: 86.1,
  },
  'real-iad': {
    RD4AD: 82.7,
    SimpleNet: 54.9,
    DeSTSeg: 79.3,
    ReContrast: 82.3,
    UniAD: 83.1,
    Dinomaly: 89.3,
    Ours: 88.7,
  },
  cifar10: {
    KNN: 92.1,
    Transformaly: 93.6,
    MSC: 89.7,
    UniAD: 87.2,
    Dinomaly: 71.5,
    GeneralAD: 93.9,
    Ours: 97.8,
  },
  cifar100: { KNN: 87.0, Transformaly: 85.2, MSC: 83.7, Dinomaly: 65.1, GeneralAD: 89.7, Ours: 92.3 },
  'fashion-mnist': { KNN: 88.2, Transformaly: 85.6, MSC: 89.3, Dinomaly: 82.5, GeneralAD: 92.4, Ours: 88.3 },
  view: { KNN: 65.5, Transformaly: 82.2, MSC: 66.6, Dinomaly: 66.6, GeneralAD: 70.5, Ours: 87.3 },
};

const singleMethods: Readonly<Partial<Record<ProtocolId, Row>>> = {
  'mvtec-ad': {
    KNN: 90.2,
    Transformaly: 84.0,
    MSC: 87.2,
    RD4AD: 98.4,
    SimpleNet: 99.6,
    PatchCore: 99.2,
    ReContrast: 99.5,
    Dinomaly: 99.2,
    GeneralAD: 99.2,
    Ours: 99.8,
  },
  visa: { RD4AD: 96.0, SimpleNet: 87.9, PatchCore: 94.2, ReContrast: 97.5, Dinomaly: 98.9, Ours: 99.0 },
  'mvtec-loco': {
    RD4AD: 79.7,
    SimpleNet: 77.6,
    PatchCore: 80.3,
    ReContrast: 82.1,
    Dinomaly: 81.9,
    GeneralAD: 84.9,
    Ours: 86.0,
  },
  'real-iad': { PatchCore: 67.2, Dinomaly: 92.0, Ours: 91.3 },
  cifar10: {
    KNN: 97.7,
    Transformaly: 98.3,
    MSC: 97.5,
    RD4AD: 86.5,
    SimpleNet: 86.5,
    PatchCore: 64.1,
    ReContrast: 84.1,
    Dinomaly: 90.4,
    GeneralAD: 99.3,
    Ours: null,
  },
  cifar100: { KNN: 97.0, Transformaly: 97.3, MSC: 96.4, ReContrast: 84.0, Dinomaly: 90.3, Ours: 97.2 },
  'fashion-mnist': {
    KNN: 94.2,
    Transformaly: 94.4,
    MSC: 95.0,
    RD4AD: 95.0,
    SimpleNet: 87.4,
    PatchCore: 77.4,
    ReContrast: 92.4,
    Ours: 95.2,
  },
  view: { KNN: 94.6, Transformaly: 95.8, MSC: 95.1, SimpleNet: 76.8, GeneralAD: 95.9, Ours: 96.5 },
};

/** What our source leaves in doubt about a row. */
const rowNotes: Readonly<Record<string, string>> = {
  'mvtec-ad/multi-class':
    'Table 1 gives Dinomaly 99.2, Table 4 and Dinomaly’s own paper 99.6; one cell of the row is lost (KNN, as assigned).',
  'visa/multi-class': 'One cell of the row is lost (ReContrast, as assigned).',
  'mvtec-loco/multi-class': 'GeneralAD from Table 4; its cell in Table 1 is lost.',
  'real-iad/multi-class': 'One cell of the row is lost (GeneralAD, as assigned); 82.3 may belong to DeSTSeg.',
  'cifar10/single-class':
    'The paper’s own value is lost: the row ends with 99.3, which is GeneralAD’s in Table 5; “best on six of eight” needs at least 99.3.',
  'mvtec-loco/single-class': 'GeneralAD from Table 5; its cell in Table 2 is lost.',
  'mvtec-ad/single-class': 'GeneralAD from Table 5.',
  'real-iad/single-class': 'The column of 67.2 is uncertain.',
};

/** Table 3: rows of the ablation, multi-class, DINOv2-B. */
const ablation: Readonly<Partial<Record<ProtocolId, readonly number[]>>> = {
  'mvtec-ad': [96.46, 99.64, 96.58, 99.65, 99.73, 99.66],
  'mvtec-loco': [78.09, 82.51, 79.23, 84.86, 85.65, 86.1],
  cifar10: [85.84, 71.02, 97.71, 83.92, 97.9, 97.8],
};

/** Table 5, multi-class: the small backbone. */
const smallBackbone: Readonly<Partial<Record<ProtocolId, number>>> = {
  'mvtec-ad': 98.8,
  'mvtec-loco': 81.7,
  cifar10: 93.3,
};

/** Table 6: few-shot, single-class MVTec-AD. */
const fewShot: Readonly<Record<number, Row>> = {
  1: { SPADE: 71.6, PaDiM: 76.1, PatchCore: 84.1, GeneralAD: 87.5, Ours: 92.6 },
  2: { SPADE: 73.4, PaDiM: 78.9, PatchCore: 87.2, GeneralAD: 91.5, Ours: 94.6 },
  4: { SPADE: 82.8, PaDiM: 80.5, PatchCore: 88.5, GeneralAD: 92.8, Ours: 94.9 },
  8: { SPADE: 84.0, PaDiM: 82.0, PatchCore: 92.2, GeneralAD: 93.6, Ours: 96.3 },
};

/** Table 5: whole model in millions of parameters, and milliseconds a picture (hardware not stated). */
export const paperComplexity: Readonly<Record<string, { parametersM: number; inferenceMs: number }>> = {
  'paper-small': { parametersM: 58.7, inferenceMs: 65.592 },
  'paper-base': { parametersM: 233.1, inferenceMs: 93.164 },
};

export interface PaperReference {
  /** The paper's own mean image AUROC in percent for this very experiment; null where it reports none. */
  value: number | null;
  /** Where it stands. */
  table: string;
  /** The other methods of that table. */
  peers: PeerValue[];
  note?: string;
}

export interface ExperimentKey {
  protocol: ProtocolId;
  setting: Setting;
  preset: string;
  shots?: number;
  ablationRow?: number;
}

/** The paper's figures for one experiment; null where it has no such experiment. */
export function paperReference(key: ExperimentKey): PaperReference | null {
  const { protocol, setting, preset, shots, ablationRow } = key;
  if (shots !== undefined) {
    const row = protocol === 'mvtec-ad' && setting === 'single-class' ? fewShot[shots] : undefined;
    return row === undefined ? null : referenceOf(row, `Table 6, ${shots}-shot`, preset);
  }
  if (ablationRow !== undefined) {
    const value = setting === 'multi-class' ? ablation[protocol]?.[ablationRow - 1] : undefined;
    if (value === undefined) return null;
    return {
      value: preset === 'paper-base' ? value : null,
      table: `Table 3, row ${ablationRow} (DINOv2-B)`,
      peers: [],
    };
  }
  const row = (setting === 'multi-class' ? multiMethods : singleMethods)[protocol];
  if (row === undefined) return null;
  const table = setting === 'multi-class' ? 'Table 1' : 'Table 2';
  const reference = referenceOf(row, `${table} (DINOv2-B)`, preset);
  const note = rowNotes[`${protocol}/${setting}`];
  if (note !== undefined) reference.note = note;
  const small = smallBackbone[protocol];
  if (preset === 'paper-small' && setting === 'multi-class' && small !== undefined) {
    return { ...reference, value: small, table: 'Table 5 (DINOv2-S)' };
  }
  return reference;
}

/** The paper's value counts for its own backbone only; with another one the table is shown for orientation. */
function referenceOf(row: Row, table: string, preset: string): PaperReference {
  const peers = Object.entries(row)
    .filter((entry): entry is [string, number] => entry[1] !== null)
    .map(([method, value]) => ({ method: method === 'Ours' ? 'the paper (DINOv2-B)' : method, value }));
  return { value: preset === 'paper-base' ? (row['Ours'] ?? null) : null, table, peers };
}
