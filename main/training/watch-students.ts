import type { FittedStudents } from '../detector/fitted-model.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { StudentRunner, type ClassErrors } from './calibrate-students.ts';
import type { FeatureStore } from './feature-store.ts';
import type { RunClass } from './snapshot.ts';
import type { Teacher } from './teacher.ts';
import type { WatchedPicture } from './watch.ts';

/** Good pictures of each class, and of all, that say what is usual for the students so far. */
const referencePerClass = 2;
const mostReference = 24;
/** Share of the places whose errors count: a defect is small. */
const worstShare = 0.02;

/**
 * Scores of labelled pictures by the students alone, as they are in the midst of their training: the largest errors of
 * the decoder student and the length of the encoder student's residual, each against what held-out good pictures of the
 * class show, fused as the detector does. A quick stand-in for the calibration at the end, which runs over all pictures.
 */
export async function scoreByStudents(
  parameters: FittedStudents['parameters'],
  {
    classes,
    teacher,
    store,
  }: {
    classes: readonly RunClass[];
    teacher: Pick<Teacher, 'entry' | 'sizes'>;
    store: Pick<FeatureStore, 'get'>;
  },
  { watchedStore, pictures }: { watchedStore: Pick<FeatureStore, 'get'>; pictures: readonly WatchedPicture[] },
  { session, signal }: { session: SessionOptions; signal: AbortSignal },
): Promise<number[]> {
  const runner = await StudentRunner.open(parameters, teacher, session);
  try {
    const perClass = Math.max(1, Math.min(referencePerClass, Math.floor(mostReference / classes.length)));
    const usual: Said[][] = [];
    const said: Said[] = [];
    for (const [c, { name, pictures: own, split }] of classes.entries()) {
      const unseen = split.heldOut.length > 0 ? split.heldOut : split.training;
      const reference = unseen.slice(0, perClass).map((i) => own[i]!);
      usual.push(rowsOf(await runner.errors(reference, c, store, signal)));
      const at = pictures.flatMap(({ className }, i) => (className === name ? [i] : []));
      rowsOf(await runner.errors(at, c, watchedStore, signal)).forEach((row, i) => (said[at[i]!] = row));
    }
    const centres = usual.map((rows) => ({ local: meanOf(rows, 'local'), whole: meanOf(rows, 'whole') }));
    const spread = { local: spreadOf(usual, centres, 'local'), whole: spreadOf(usual, centres, 'whole') };
    return pictures.map(({ className }, i) => {
      const centre = centres[classes.findIndex(({ name }) => name === className)]!;
      const z = (key: keyof Said): number => (said[i]![key] - centre[key]) / spread[key];
      return surprise(z('local')) + surprise(z('whole'));
    });
  } finally {
    await runner.close();
  }
}

/** What the two students say of one picture, larger is stranger. */
interface Said {
  local: number;
  whole: number;
}

function rowsOf({ errors: [a, b], residual }: ClassErrors): Said[] {
  return Array.from({ length: a.rows }, (_, row) => {
    const places = Float64Array.from({ length: a.cols }, (__, p) => {
      const at = row * a.cols + p;
      return a.data[at]! + b.data[at]!;
    }).sort();
    const worst = places.subarray(-Math.max(1, Math.round(worstShare * places.length)));
    const own = residual.data.subarray(row * residual.cols, (row + 1) * residual.cols);
    const squares = own.reduce((sum, value) => sum + value * value, 0);
    return { local: average(worst), whole: 0.5 * Math.log(Math.max(squares, 1e-12)) };
  });
}

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / Math.max(1, values.length);
}

function meanOf(rows: readonly Said[], key: keyof Said): number {
  return average(rows.map((row) => row[key]));
}

/** Deviation within the classes; 1 where one picture a class can't show any. */
function spreadOf(usual: readonly Said[][], centres: readonly Said[], key: keyof Said): number {
  const squares = usual.flatMap((rows, c) => rows.map((row) => (row[key] - centres[c]![key]) ** 2));
  const sd = Math.sqrt(average(squares));
  return sd > 1e-6 ? sd : 1;
}

/** `softplus(z - 1)`, see `surprise` of the detector. */
function surprise(z: number): number {
  return z > 30 ? z - 1 : Math.log1p(Math.exp(z - 1));
}
