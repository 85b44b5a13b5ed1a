import type { HandlersOf } from '../ipc/handler.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { exportProject, importProject } from './project-archive.ts';

/** Projects, their classes, and their way in and out as one archive. */
export function projectHandlers(context: StationContext): HandlersOf<'projects' | 'classes'> {
  const { store } = context;
  const changed = (): void => context.emit({ type: 'projects' });
  return {
    'projects.list': () => store.projects.list(),
    'projects.create': ({ name, note }, caller) => {
      const project = store.transaction(() => {
        const created = store.projects.create({ name, note, createdAt: context.now() });
        record(context, caller, 'project.created', created.id, { name });
        return created;
      });
      changed();
      return project;
    },
    'projects.update': ({ projectId, ...change }, caller) => {
      const project = store.transaction(() => {
        const before = store.projects.get(projectId);
        const after = store.projects.update(projectId, change);
        const { name, note, pxPerMm } = before;
        record(context, caller, 'project.changed', projectId, { before: { name, note, pxPerMm }, after: change });
        return after;
      });
      changed();
      return project;
    },
    'projects.remove': ({ projectId }, caller) => {
      store.transaction(() => {
        const { name } = store.projects.get(projectId);
        store.projects.remove(projectId, context.now());
        record(context, caller, 'project.removed', projectId, { name });
      });
      changed();
      return {};
    },
    'projects.export': async ({ projectId, path }, caller) => {
      const bytes = await exportProject(context, projectId, path);
      record(context, caller, 'data.exported', projectId, { what: 'project', path, bytes });
      return { bytes };
    },
    'projects.import': async ({ path }, caller) => {
      const project = await importProject(context, path);
      record(context, caller, 'project.imported', project.id, { path, name: project.name });
      changed();
      return project;
    },

    'classes.list': ({ projectId }) => store.projects.classes(projectId),
    'classes.create': ({ projectId, name }, caller) => {
      const created = store.transaction(() => {
        const partClass = store.projects.createClass(projectId, name);
        record(context, caller, 'class.created', partClass.id, { projectId, name });
        return partClass;
      });
      changed();
      return created;
    },
    'classes.rename': ({ classId, name }, caller) => {
      const renamed = store.transaction(() => {
        const before = store.projects.getClass(classId);
        const after = store.projects.renameClass(classId, name);
        record(context, caller, 'class.renamed', classId, { before: before.name, after: after.name });
        return after;
      });
      changed();
      return renamed;
    },
    'classes.remove': ({ classId }, caller) => {
      store.transaction(() => {
        const { name, projectId } = store.projects.getClass(classId);
        store.projects.removeClass(classId, context.now());
        record(context, caller, 'class.removed', classId, { projectId, name });
      });
      changed();
      return {};
    },
  };
}
