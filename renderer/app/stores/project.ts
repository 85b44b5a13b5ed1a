import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { ChannelOutput } from '../../../shared/ipc/contract.ts';
import type { PartClass, Project, StationModel } from '../../../shared/station/domain.ts';
import { attempt, call } from '../station-client.ts';

const rememberedKey = 'twinspect.project';

/** The projects, the one that is open, and its classes, models and recipes. */
export const useProject = defineStore('project', () => {
  const projects = shallowRef<Project[]>([]);
  const projectId = ref<string | null>(null);
  const classes = shallowRef<PartClass[]>([]);
  const models = shallowRef<StationModel[]>([]);
  const recipes = shallowRef<ChannelOutput<'recipes.list'>>([]);
  const loaded = ref(false);

  const project = computed(() => projects.value.find((one) => one.id === projectId.value) ?? null);
  const activeModel = computed(() => models.value.find((one) => one.id === project.value?.activeModelId) ?? null);

  /** Reads the list, and opens the project of last time, or else the first. */
  async function load(): Promise<void> {
    projects.value = await call('projects.list', {});
    const wanted = projectId.value ?? localStorage.getItem(rememberedKey);
    const found = projects.value.find((one) => one.id === wanted) ?? projects.value[0];
    await open(found?.id ?? null);
    loaded.value = true;
  }

  async function open(id: string | null): Promise<void> {
    projectId.value = id;
    if (id === null) {
      classes.value = [];
      models.value = [];
      recipes.value = [];
      return;
    }
    localStorage.setItem(rememberedKey, id);
    await Promise.all([loadClasses(), loadModels(), loadRecipes()]);
  }

  /** Reads one list of the open project; an answer that comes after another project was opened is thrown away. */
  async function into<T>(target: { value: T }, read: (projectId: string) => Promise<T | null>): Promise<void> {
    const id = projectId.value;
    if (id === null) return;
    const list = await read(id);
    if (list !== null && projectId.value === id) target.value = list;
  }

  const loadClasses = () => into(classes, (id) => attempt('classes.list', { projectId: id }));
  const loadModels = () => into(models, (id) => attempt('models.list', { projectId: id }));
  const loadRecipes = () => into(recipes, (id) => attempt('recipes.list', { projectId: id }));

  /** After something changed a project or its models elsewhere. */
  async function refresh(): Promise<void> {
    const list = await attempt('projects.list', {});
    if (list === null) return;
    projects.value = list;
    if (project.value === null) await open(list[0]?.id ?? null);
    else await Promise.all([loadClasses(), loadModels(), loadRecipes()]);
  }

  return {
    projects,
    projectId,
    project,
    classes,
    models,
    recipes,
    activeModel,
    loaded,
    load,
    open,
    refresh,
    loadClasses,
    loadModels,
    loadRecipes,
  };
});
