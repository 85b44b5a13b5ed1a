import { UserError } from '../../shared/errors.ts';
import { findBundledBackbone, readRegistry, verifyBackbone, type BackboneEntry } from '../backbones/registry.ts';
import { readSafetensors, type Safetensor } from '../backbones/safetensors.ts';
import type { FittedMemory } from '../detector/fitted-model.ts';
import { buildFusedGraph } from '../detector/fused-graph.ts';
import { studentTensors } from '../detector/student-tensors.ts';
import { memoryDefaults } from '../memory/defaults.ts';
import { fusionDefaults } from '../nn/embedded-detector.ts';
import { presets, type EmbeddedPreset } from '../nn/presets.ts';
import { modelsDir } from '../system/project-root.ts';
import { defectShare } from './defects.ts';
import { fitDefectHeads } from './fit-defect-heads.ts';
import { fitMemory } from './fit-memory.ts';
import { openCheckpoint, openFeatureStore, type Method, type Recipe, type Run } from './recipe.ts';
import type { TrainingRequest } from './request.ts';
import { Teacher } from './teacher.ts';
import { TrainerScorer } from './trainer-scorer.ts';
import { scoreInTurn, Watch } from './watch.ts';
import { trainStudents, type TrainedStudents } from './train-students.ts';

/**
 * The embedded preset: a bundled backbone, the memory of normal parts, two small students.
 * @param buildGraph tests put in their own
 */
export function embeddedRecipe(request: TrainingRequest, buildGraph = buildFusedGraph): Recipe {
  const preset = settle(request);
  return {
    learnsFromAll: false,
    open: async (run): Promise<Method> => {
      const { entry, weights, backboneHash } = await openBackbone(preset);
      const teacher = await Teacher.open(entry, weights, run.session);
      try {
        const store = await openFeatureStore(teacher, run);
        return {
          store,
          close: () => teacher.close(),
          fit: async () => {
            const { classes } = run.snapshot;
            run.begin('memory', 'Building the memory of normal parts');
            const memory = await fitMemory(classes, teacher, store, {
              seed: request.seed,
              session: run.session,
              search: preset.search,
              signal: run.signal,
              onProgress: (share) => run.report.progress(Math.round(share * 1000), 1000),
            });
            const watch = request.instant ? undefined : await Watch.open(teacher, run);
            await watch?.begin();
            await watch?.look('memory', 0, async (watchedStore, pictures) => {
              const scorer = await TrainerScorer.open(teacher, watchedStore, memory, undefined, run.session);
              return scoreInTurn(scorer, pictures.length, run.signal);
            });
            const { defects } = run.snapshot;
            const byHead = request.defectsBy !== 'students';
            const checkpoint = openCheckpoint(run, teacher.graphHash, preset.students);
            let students: TrainedStudents | undefined;
            if (!request.instant) {
              run.begin('students', `Training the two students, ${preset.students.steps} steps`);
              students = await trainStudents(classes, teacher, store, {
                students: preset.students,
                defects: byHead ? [] : defects,
                seed: request.seed,
                session: run.session,
                checkpoint,
                ...(watch !== undefined && { watch }),
                ...loopOptions(run, preset.students.batch),
              });
            }
            if (byHead && defects.length > 0) {
              const scorer = await TrainerScorer.open(teacher, store, memory, students, run.session);
              try {
                const scoreOf = async (picture: number): Promise<number> => {
                  run.signal.throwIfAborted();
                  return (await scorer.score(picture)).predScore;
                };
                const { heads, notices } = await fitDefectHeads(run.snapshot, teacher, store, scoreOf);
                for (const notice of notices) run.report.notice(notice);
                if (heads !== undefined) memory.defectHeads = heads;
              } finally {
                await scorer.close();
              }
            }
            return {
              openScorer: () => TrainerScorer.open(teacher, store, memory, students, run.session),
              buildGraph: () =>
                Promise.resolve(
                  buildGraph({ entry, weights, memory, students: students && (() => studentTensors(students, entry)) }),
                ),
              isStandard: true,
              facts: {
                engine: students?.engine ?? teacher.engine,
                backbone: { id: entry.id, sha256: backboneHash },
                inputSize: entry.input.size,
                attribution: [entry.attribution],
                notes: request.instant ? 'Instant mode: normal memory only, without the students.' : '',
                constants: {
                  students: request.instant ? null : preset.students,
                  ...(byHead ? describeHeads(run, memory) : describeDefects(run)),
                  search: preset.search,
                  memory: memoryDefaults,
                  fusion: fusionDefaults,
                },
              },
              // Instant mode has none of its own: what lies there may be another training's, still to be resumed.
              checkpoint: students && checkpoint,
            };
          },
        };
      } catch (error) {
        await teacher.close();
        throw error;
      }
    },
  };
}

/** What every loop of students needs of its run. */
export function loopOptions({ openEngine, checkpointEvery, signal, report }: Run, batch: number) {
  return {
    openEngine,
    checkpointEvery,
    signal,
    onStep: (done: number, total: number, losses: Parameters<typeof report.progress>[2]) =>
      report.progress(done, total, losses, batch),
    onNotice: (message: string) => report.notice(message),
    onWarning: (message: string) => report.warn(message),
  };
}

/** The manifest's note of labelled defects, where there were any. */
export function describeDefects({ snapshot: { defects } }: Run): object {
  return defects.length > 0 ? { defects: { pictures: defects.length, share: defectShare } } : {};
}

/** The manifest's note of heads learned from labelled defects, by class: factor, weight and offset. */
function describeHeads({ snapshot: { defects, classes } }: Run, { defectHeads }: FittedMemory): object {
  if (defects.length === 0) return {};
  const of = (c: number): number[] =>
    defectHeads === undefined ? [1, 0, 0] : [defectHeads.factor[c]!, defectHeads.weight[c]!, defectHeads.offset[c]!];
  const heads = Object.fromEntries(classes.map(({ name }, c) => [name, of(c)]));
  return { defects: { pictures: defects.length, by: 'head', heads } };
}

/** @throws UserError `settingInvalid` for what only paper presets have: an ignored wish would pass unseen */
function settle(request: TrainingRequest): EmbeddedPreset {
  const { settings = {}, dataKind = 'general', backboneFile } = request;
  const foreign = Object.keys(settings)[0] ?? (dataKind === 'general' ? undefined : dataKind) ?? backboneFile;
  if (foreign !== undefined) {
    throw new UserError(
      'settingInvalid',
      `The preset "embedded" has no such setting: "${foreign}".`,
      'Leave it out, or train a paper preset (--preset paper-small).',
    );
  }
  const preset: EmbeddedPreset = presets.embedded;
  return {
    ...preset,
    students: { ...preset.students, steps: request.steps ?? preset.students.steps },
    search: request.search ?? preset.search,
  };
}

/** The preset's backbone, verified, at the preset's input size. */
export async function openBackbone({ backbone, inputSize }: EmbeddedPreset): Promise<{
  entry: BackboneEntry;
  weights: ReadonlyMap<string, Safetensor>;
  backboneHash: string;
}> {
  const registry = await readRegistry(modelsDir());
  const found = findBundledBackbone(registry, backbone);
  const [file] = await verifyBackbone(registry, found);
  const entry = { ...found, input: { ...found.input, size: inputSize } };
  const { tensors } = await readSafetensors(file!, { rejectNonFinite: true });
  return { entry, weights: tensors, backboneHash: found.files[0]!.sha256 };
}
