import { z } from 'zod';
import * as d from '../station/domain.ts';
import { command, query } from './channel.ts';

const inProject = z.object({ projectId: d.id });
const nothing = z.object({});
export const done = z.object({});

/** Counts of what an import took and left out, with the reason for each file left out (the first 200). */
export const importSummary = z.object({
  added: z.int(),
  known: z.int(),
  refused: z.array(z.object({ file: z.string(), reason: z.string() })),
});

/** Something worth a look before training. */
export const suggestion = z.object({
  kind: z.enum(['duplicate', 'blurred', 'odd']),
  sha256: d.sha256,
  /** For a duplicate: the picture it repeats. */
  otherSha256: d.sha256.nullable(),
  /** How far it stands out, in its own measure; the list is sorted by it. */
  amount: z.number(),
});
export type Suggestion = z.infer<typeof suggestion>;

/** A normal set as it was when a model learned from it. */
export const normalSnapshot = z.object({
  id: d.id,
  createdAt: d.isoTime,
  createdBy: d.shortText,
  hash: d.shortText,
  classes: z.array(z.object({ name: d.name, normal: z.int(), calibration: z.int() })),
  /** Versions of the models that learned from it. */
  models: z.array(z.int()),
  /** Pictures that the project's normal set has more, and fewer, by now. */
  addedSince: z.int(),
  removedSince: z.int(),
});
export type NormalSnapshot = z.infer<typeof normalSnapshot>;

/** Projects, classes, pictures and normal sets. */
export const projectChannels = {
  'projects.list': query('operator', nothing, z.array(d.project)),
  'projects.create': command('engineer', z.object({ name: d.name, note: d.longText }), d.project),
  'projects.update': command(
    'engineer',
    z.object({ projectId: d.id, name: d.name, note: d.longText, pxPerMm: z.number().positive().nullable() }),
    d.project,
  ),
  /** Takes the project out of the list; its records stay until retention removes them. */
  'projects.remove': command('administrator', inProject, done),
  /** Writes everything of a project into one archive. */
  'projects.export': command('engineer', z.object({ projectId: d.id, path: d.filePath }), z.object({ bytes: z.int() })),
  'projects.import': command('engineer', z.object({ path: d.filePath }), d.project),

  'classes.list': query('operator', inProject, z.array(d.partClass)),
  'classes.create': command('engineer', z.object({ projectId: d.id, name: d.name }), d.partClass),
  'classes.rename': command('engineer', z.object({ classId: d.id, name: d.name }), d.partClass),
  'classes.remove': command('engineer', z.object({ classId: d.id }), done),

  /** What a folder would give, before anything is taken from it. */
  'pictures.lookAtFolder': query(
    'engineer',
    z.object({ path: d.filePath }),
    z.object({
      classes: z.array(
        z.object({
          name: d.name,
          normal: z.int(),
          good: z.int(),
          defects: z.int(),
          defectClasses: z.array(d.shortText),
        }),
      ),
      warnings: z.array(z.string()),
    }),
  ),
  /** Takes the pictures of a folder (any layout the command line knows) into the project; progress comes as events. */
  'pictures.importFolder': command(
    'engineer',
    z.object({
      projectId: d.id,
      path: d.filePath,
      /** Put everything into this class; null: the folder's own names. */
      classId: d.id.nullable(),
      /** Held-out good pictures and defects become the golden set. */
      withGolden: z.boolean(),
    }),
    importSummary,
  ),
  'pictures.importFiles': command(
    'engineer',
    z.object({ projectId: d.id, classId: d.id, use: d.pictureUse, paths: z.array(d.filePath).max(10_000) }),
    importSummary,
  ),
  /** A picture straight from the camera, as PNG or JPEG bytes. */
  'pictures.capture': command(
    'engineer',
    z.object({
      projectId: d.id,
      classId: d.id,
      use: d.pictureUse,
      bytes: z.instanceof(Uint8Array),
      fileName: d.shortText,
    }),
    z.object({ picture: d.picture, blurred: z.boolean(), duplicateOf: d.sha256.nullable() }),
  ),
  'pictures.list': query(
    'operator',
    z.object({
      projectId: d.id,
      classId: d.id.nullable(),
      use: d.pictureUse.nullable(),
      label: z.enum(['any', 'none', 'pass', 'fail', 'unsure']),
      sort: z.enum(['newest', 'score', 'uncertainty', 'disagreement']),
      offset: z.int().min(0),
      limit: z.int().min(1).max(500),
    }),
    z.object({ total: z.int(), pictures: z.array(d.picture) }),
  ),
  'pictures.setUse': command(
    'engineer',
    z.object({ projectId: d.id, sha256s: z.array(d.sha256).max(10_000), use: d.pictureUse, classId: d.id.nullable() }),
    done,
  ),
  'pictures.remove': command(
    'engineer',
    z.object({ projectId: d.id, sha256s: z.array(d.sha256).max(10_000) }),
    z.object({ removed: z.int() }),
  ),
  /** Newest first; those without pictures (of imported models) are left out. */
  'pictures.snapshots': query('operator', inProject, z.array(normalSnapshot)),
  'pictures.suggestions': query('engineer', z.object({ projectId: d.id }), z.array(suggestion)),

  'labels.set': command(
    'operator',
    z.object({
      projectId: d.id,
      sha256: d.sha256,
      gtLabel: d.gtLabel,
      defectClass: d.shortText.nullable(),
      regions: z.array(d.region).max(100),
      why: d.longText.nullable(),
    }),
    d.label,
  ),
  /** Takes back this person's newest label in the project: the one before it holds again. */
  'labels.undo': command('operator', inProject, z.object({ sha256: d.sha256.nullable() })),
  'labels.of': query('operator', z.object({ projectId: d.id, sha256: d.sha256 }), z.array(d.label)),
  /** Pictures with two different answers, newest first. */
  'labels.conflicts': query('operator', inProject, z.array(z.object({ picture: d.picture, labels: z.array(d.label) }))),
  'labels.progress': query(
    'operator',
    inProject,
    z.object({ labelled: z.int(), total: z.int(), conflicts: z.int(), defectClasses: z.array(d.shortText) }),
  ),
};
