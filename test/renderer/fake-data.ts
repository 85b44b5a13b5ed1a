/** What the fake station holds at its start, made from the bundled sample pictures. */
import type {
  Label,
  PartClass,
  Project,
  Recipe,
  StationModel,
  StationPart,
  StationPicture,
  User,
} from '../../shared/station/domain.ts';
import type { Settings } from '../../shared/ipc/settings.ts';
import type { Evidence } from '../../shared/ipc/training.ts';

/** One picture of the sample, as the harness lists it. */
export interface SamplePicture {
  sha256: string;
  fileName: string;
  className: string;
  /** Folder it lies in: `train`, `calibration` or `test`. */
  split: string;
  /** `good`, or the defect class. */
  kind: string;
  widthPx: number;
  heightPx: number;
  /** Address of the ground-truth mask of a defect. */
  mask: string | null;
}

export const thresholds = { review: 0.52, fail: 0.74 };
const hash = (digit: string): string => digit.repeat(64);
const minutes = (n: number): string => new Date(Date.UTC(2026, 10, 20, 14, 30) - n * 60_000).toISOString();

/** Repeatable pseudo-random number 0..1 of a text. */
export function chance(text: string): number {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return ((h ^ (h >>> 13)) >>> 0) / 2 ** 32;
}

export const scoreOf = (picture: SamplePicture): number =>
  picture.kind === 'good' ? 0.16 + 0.42 * chance(picture.sha256) ** 1.6 : 0.62 + 0.9 * chance(picture.sha256);

export function makeData(sample: readonly SamplePicture[]) {
  const classNames = [...new Set(sample.map((one) => one.className))];
  const projects: Project[] = [
    {
      id: 'papers',
      name: 'Sample papers',
      note: 'The bundled pictures.',
      createdAt: minutes(9000),
      activeModelId: 'm2',
      previousModelId: 'm1',
      pxPerMm: 12.5,
      sample: true,
    },
    {
      id: 'cookies',
      name: 'Line 3 / Cookies',
      note: '',
      createdAt: minutes(600),
      activeModelId: null,
      previousModelId: null,
      pxPerMm: null,
      sample: false,
    },
  ];
  const classes: PartClass[] = classNames.map((name, i) => ({
    id: `c${i}`,
    projectId: 'papers',
    name,
    normalPictures: sample.filter((one) => one.className === name && one.split === 'train').length,
    calibrationPictures: 0,
    goldenPictures: sample.filter((one) => one.className === name && one.split === 'test').length,
    goldenDefects: sample.filter((one) => one.className === name && one.split === 'test' && one.kind !== 'good').length,
  }));
  const classId = (name: string): string => classes.find((one) => one.name === name)!.id;
  const pictures: StationPicture[] = sample.map((one, i) => ({
    sha256: one.sha256,
    projectId: 'papers',
    classId: classId(one.className),
    use: one.split === 'train' ? 'normal' : one.split === 'calibration' ? 'calibration' : 'golden',
    fileName: one.fileName,
    widthPx: one.widthPx,
    heightPx: one.heightPx,
    addedAt: minutes(3000 - i),
    group: null,
    sharpness: 180 + 400 * chance(`${one.sha256}s`),
    predScore: one.split === 'train' ? null : scoreOf(one),
    gtLabel: one.split !== 'test' ? null : i % 3 === 0 ? (one.kind === 'good' ? 'pass' : 'fail') : null,
    defectClass: one.split === 'test' && i % 3 === 0 && one.kind !== 'good' ? one.kind : null,
  }));
  const models: StationModel[] = [1, 2].map((version) => ({
    id: `m${version}`,
    projectId: 'papers',
    version,
    state: version === 2 ? 'active' : 'previous',
    modelHash: hash(String(version)),
    preset: version === 2 ? 'embedded' : 'instant',
    classes: classNames,
    snapshotId: `s${version}`,
    pictures: pictures.filter((one) => one.use === 'normal').length,
    createdAt: minutes(2000 - version * 400),
    createdBy: 'Ada Berger',
    engine: 'cpu',
    trainingMs: version === 2 ? 221_000 : 9_400,
    thresholds,
    basis:
      'From 96 normal pictures and 0 defects of all classes: review from 0.52, fail from 0.74. An exponential tail fitted to the highest quarter suggests that at most 1 % of normal parts reach the fail threshold; this is no guarantee. 202 more normal pictures kept apart from training would turn this into a guarantee.',
    metrics: classNames.map((className) => ({
      className,
      pictures: 14,
      defects: 8,
      imageAuroc: 0.9 + 0.1 * chance(`${className}${version}`),
      falseRejectRate: 0.04 * chance(`f${className}${version}`),
      escapeRate: 0.08 * chance(`e${className}${version}`),
    })),
    parity: { maxAbsDifference: 3.1e-6, verdictFlips: 0, pictures: 24 },
    note: '',
    geometry: { region: null, ignore: [] },
  }));
  const recipes: Recipe[] = [
    {
      id: 'r1',
      projectId: 'papers',
      name: 'Replay of the sample',
      source: { kind: 'replay', path: '/sample/papers', intervalMs: 700 },
      region: null,
      ignore: [],
      outputFolder: null,
      cycleTimeMs: 700,
      lot: '2291',
      updatedAt: minutes(900),
    },
    {
      id: 'r2',
      projectId: 'papers',
      name: 'Camera 1',
      source: {
        kind: 'camera',
        deviceLabel: '',
        widthPx: 1280,
        heightPx: 720,
        frameRate: 30,
        trigger: 'key',
        timerMs: 1000,
        locked: {},
      },
      region: null,
      ignore: [],
      outputFolder: null,
      cycleTimeMs: null,
      lot: '2291',
      updatedAt: minutes(800),
    },
  ];
  const camera = recipes[1]!;
  recipes.push({
    ...camera,
    id: 'r3',
    name: 'Camera 1, by itself',
    source: { ...camera.source, kind: 'camera', trigger: 'still' } as Recipe['source'],
  });
  const users: User[] = [
    { id: 'u1', name: 'Ada Berger', role: 'administrator', language: null, disabled: false },
    { id: 'u2', name: 'Minh Trần', role: 'operator', language: null, disabled: false },
    { id: 'u3', name: '김서연', role: 'quality', language: null, disabled: false },
  ];
  const settings: Settings = {
    stationName: 'Station 3',
    language: 'en',
    theme: 'light',
    engine: 'auto',
    sound: false,
    shifts: [
      { name: 'Early', start: '06:00' },
      { name: 'Late', start: '14:00' },
      { name: 'Night', start: '22:00' },
    ],
    lockAfterMin: 10,
    storage: { limitGb: 50, keepFailsDays: 730, keepPassesDays: 30, keepEveryNthPass: 20 },
  };
  const tested = sample.filter((one) => one.split === 'test');
  const parts: StationPart[] = Array.from({ length: 400 }, (_, i) =>
    makePart(i + 1, tested[(i * 7) % Math.max(1, tested.length)]!, minutes(400 - i)),
  );
  const labels: Label[] = [];
  const evidence: Evidence[] = tested.map((one) => ({
    sha256: one.sha256,
    className: one.className,
    gtLabel: one.kind === 'good' ? 'pass' : 'fail',
    predScore: scoreOf(one),
    defectClass: one.kind === 'good' ? null : one.kind,
  }));
  return { projects, classes, pictures, models, recipes, users, settings, parts, labels, evidence };
}

export type FakeData = ReturnType<typeof makeData>;

/** A judged part of a sample picture. */
export function makePart(id: number, one: SamplePicture, at: string): StationPart {
  const predScore = scoreOf(one);
  const verdict = predScore >= thresholds.fail ? 'fail' : predScore >= thresholds.review ? 'review' : 'pass';
  return {
    id,
    projectId: 'papers',
    source: `/sample/papers/${one.className}/${one.fileName}`,
    serial: one.fileName.replace(/\.\w+$/, ''),
    lot: '2291',
    station: 'Station 3',
    shift: 'Late',
    className: one.className,
    presentedAt: at,
    decidedAt: at,
    verdict,
    reason:
      verdict === 'review'
        ? 'The part looks like none of the known classes (distance 4.2, known parts reach 2.75).'
        : null,
    predScore,
    localScore: predScore * 0.8,
    semanticScore: predScore * 0.2,
    memoryScore: predScore * 0.7,
    shares: { local: 0.55, semantic: 0.12, memory: 0.33 },
    hottest: { x: 0.31, y: 0.42, areaPx: 640 },
    thresholds,
    displayScore: (50 * predScore) / thresholds.fail,
    latencyMs: 38 + 12 * chance(`${id}`),
    modelId: 'm2',
    modelHash: hash('2'),
    pictureSha256: one.sha256,
    hasHeatMap: true,
    similarSha256: null,
    personVerdict: null,
    personName: null,
    defectClass: null,
  };
}
