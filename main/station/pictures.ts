import { basename, join, resolve } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { listFolder } from '../datasets/folder.ts';
import { readDataset } from '../datasets/read.ts';
import type { Dataset, PictureRef } from '../datasets/dataset.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { checkPicture, importPictures, type PictureToImport } from './import-pictures.ts';
import { isBlurred, nearDuplicateOf, suggest } from './suggestions.ts';

/** A project's pictures: in from folders, files and the camera; listed, moved between uses, looked over. */
export function pictureHandlers(context: StationContext): HandlersOf<'pictures'> {
  const { store } = context;
  return {
    'pictures.lookAtFolder': async ({ path }) => {
      const dataset = await readAnyFolder(path);
      return { classes: dataset.classes.map((name) => classFacts(name, dataset)), warnings: dataset.warnings };
    },

    'pictures.importFolder': async ({ projectId, path, classId, withGolden }, caller) => {
      store.projects.get(projectId);
      const dataset = await readAnyFolder(path);
      const classIds = new Map<string, string>();
      for (const name of dataset.classes) classIds.set(name, classId ?? classFor(context, projectId, name));
      const wanted = dataset.pictures.filter(({ split }) => withGolden || split !== 'test');
      const summary = await importPictures(
        context,
        projectId,
        wanted.map((picture) => toImport(picture, classIds.get(picture.className) ?? classId)),
        caller,
      );
      record(context, caller, 'pictures.imported', projectId, { path, ...counts(summary) });
      context.emit({ type: 'projects' });
      return summary;
    },

    'pictures.importFiles': async ({ projectId, classId, use, paths }, caller) => {
      checkClass(context, projectId, classId);
      const summary = await importPictures(
        context,
        projectId,
        paths.map((path) => ({ path, classId, use, group: null, gtLabel: null, defectClass: null })),
        caller,
      );
      record(context, caller, 'pictures.imported', projectId, { files: paths.length, use, ...counts(summary) });
      context.emit({ type: 'projects' });
      return summary;
    },

    'pictures.capture': async ({ projectId, classId, use, bytes, fileName }, caller) => {
      checkClass(context, projectId, classId);
      const { file, sha256, measures } = await checkPicture(bytes, fileName);
      const earlier = store.pictures.facts(projectId).filter((facts) => facts.classId === classId);
      const known = store.pictures.find(projectId, sha256);
      const addedAt = context.now();
      await store.pictures.addFile(file, addedAt);
      store.transaction(() => {
        store.pictures.place({ projectId, sha256, classId, use, fileName, group: null, addedAt });
        store.labels.refresh(projectId, sha256);
        record(context, caller, 'pictures.captured', sha256, { projectId, classId, use });
      });
      const sharp = earlier.flatMap(({ sharpness }) => (sharpness === null ? [] : [sharpness]));
      const repeated = known !== null ? sha256 : (nearDuplicateOf(measures, earlier)?.sha256 ?? null);
      return {
        picture: store.pictures.get(projectId, sha256),
        blurred: isBlurred(measures.sharpness, sharp),
        duplicateOf: repeated,
      };
    },

    'pictures.list': (query) => store.pictures.list(query),

    'pictures.setUse': ({ projectId, sha256s, use, classId }, caller) => {
      if (classId !== null) checkClass(context, projectId, classId);
      store.transaction(() => {
        store.pictures.setUse(projectId, sha256s, use, classId);
        record(context, caller, 'pictures.useChanged', projectId, {
          pictures: sha256s.slice(0, 20),
          count: sha256s.length,
          use,
          classId,
        });
      });
      context.emit({ type: 'projects' });
      return {};
    },

    'pictures.remove': ({ projectId, sha256s }, caller) => {
      const removed = store.transaction(() => {
        const count = store.pictures.remove(projectId, sha256s);
        record(context, caller, 'data.deleted', projectId, { what: 'pictures', pictures: sha256s.slice(0, 20), count });
        return count;
      });
      context.emit({ type: 'projects' });
      return { removed };
    },

    'pictures.snapshots': ({ projectId }) => store.pictures.snapshots(projectId),
    'pictures.suggestions': ({ projectId }) => suggest(store.pictures.facts(projectId)),
  };
}

/** Any layout the command line knows; beyond them, a folder of pictures is one class of good parts. */
async function readAnyFolder(path: string): Promise<Dataset> {
  try {
    return shortNames(await readDataset([path], { needTrain: false }));
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'datasetLayout') throw error;
    const { pictures, folders } = await listFolder(path);
    if (pictures.length === 0 || folders.length > 0) throw error;
    const className = basename(resolve(path)).normalize('NFC');
    return shortNames({
      classes: [className],
      pictures: pictures.map((name) => ({ path: join(path, name), className, split: 'train', gtLabel: 'good' })),
      warnings: [],
    });
  }
}

/** A folder's name may be longer than a class's may be. */
function shortNames({ classes, pictures, warnings }: Dataset): Dataset {
  const short = (name: string): string => name.slice(0, 120).trim() || 'parts';
  return {
    classes: [...new Set(classes.map(short))],
    pictures: pictures.map(({ defectType, ...picture }) => ({
      ...picture,
      className: short(picture.className),
      ...(defectType !== undefined && { defectType: defectType.slice(0, 200) }),
    })),
    warnings,
  };
}

function classFacts(
  name: string,
  dataset: Dataset,
): { name: string; normal: number; good: number; defects: number; defectClasses: string[] } {
  const own = dataset.pictures.filter(({ className }) => className === name);
  const heldOut = own.filter(({ split }) => split === 'test');
  const defects = heldOut.filter(({ gtLabel }) => gtLabel === 'defect');
  return {
    name,
    normal: own.length - heldOut.length,
    good: heldOut.length - defects.length,
    defects: defects.length,
    defectClasses: [...new Set(defects.flatMap(({ defectType }) => defectType ?? []))].sort(),
  };
}

/** The project's class of that name, made where there is none. */
function classFor(context: StationContext, projectId: string, name: string): string {
  const { projects } = context.store;
  const known = projects.findClass(projectId, name);
  return (known ?? projects.createClass(projectId, name)).id;
}

function checkClass(context: StationContext, projectId: string, classId: string): void {
  context.store.projects.get(projectId);
  if (context.store.projects.getClass(classId).projectId !== projectId)
    throw new UserError('classUnknown', 'The class belongs to another project.', 'Choose one of the list.');
}

function toImport({ path, split, gtLabel, defectType }: PictureRef, classId: string | null): PictureToImport {
  const golden = split === 'test';
  return {
    path,
    classId,
    use: golden ? 'golden' : split === 'calibration' ? 'calibration' : 'normal',
    group: null,
    gtLabel: golden ? (gtLabel === 'defect' ? 'fail' : 'pass') : null,
    defectClass: defectType ?? null,
  };
}

function counts({ added, known, refused }: { added: number; known: number; refused: unknown[] }): {
  added: number;
  known: number;
  refused: number;
} {
  return { added, known, refused: refused.length };
}
