import type { PublishedSet } from '../datasets/published-set.ts';
import { heldOutCount } from '../memory/calibrate.ts';
import { presets, type PaperPreset, type Preset } from '../nn/presets.ts';
import type { PaperSettings } from '../training/paper-settings.ts';
import type { Plan } from './plan.ts';
import type { Setting } from './paper-tables.ts';
import type { Protocol } from './protocols.ts';

/** Everything that decides how near a run is to the paper's. */
export interface RunFacts {
  protocol: Protocol;
  setting: Setting;
  set: PublishedSet;
  plan: Plan;
  preset: string;
  /** Of a paper preset, as they are used; undefined for the embedded one. */
  settings?: PaperSettings;
  /** Names of settings that the person changed. */
  changed: readonly string[];
  seeds: number;
  steps?: number;
  instant: boolean;
  limit?: number;
  classesAsked?: readonly string[];
  splitsAsked: readonly number[];
  backboneFile?: string;
  cachePrecision?: string;
  pixels: boolean;
}

/**
 * What of this run differs from the paper, as far as the paper is known: differences by choice of the person first,
 * then those of the program. Each is a sentence.
 */
export function deviations(facts: RunFacts): string[] {
  const { protocol, set, plan, settings } = facts;
  const out: string[] = [];
  const preset: Preset | undefined = Object.hasOwn(presets, facts.preset)
    ? presets[facts.preset as keyof typeof presets]
    : undefined;
  if (preset?.kind === 'embedded') {
    out.push(
      `The preset "${facts.preset}" is not the paper's model: EfficientNet-Lite2 at ${preset.inputSize} px in place of DINOv2, small students${facts.instant ? ' left out (instant mode)' : ''}, and a normal memory beside them.`,
    );
  } else if (facts.preset !== 'paper-base') {
    out.push(`Backbone of "${facts.preset}"; the paper's main results use DINOv2-B with registers.`);
  }
  if (facts.backboneFile !== undefined) {
    out.push(`The teacher's weights are ${facts.backboneFile}, not those of the store.`);
  }
  for (const name of facts.changed) out.push(`Setting changed: ${name} = ${JSON.stringify(valueOf(settings, name))}.`);
  if (facts.steps !== undefined) out.push(`${facts.steps} training steps by --steps.`);
  if (facts.cachePrecision === 'half') out.push('Teacher features are cached at half precision.');
  if (facts.limit !== undefined) {
    out.push(
      `A trial run: at most ${facts.limit} pictures of each class and kind were used, for training and for testing.`,
    );
  }
  if (facts.classesAsked !== undefined) out.push(`Only the classes ${facts.classesAsked.join(', ')}.`);
  if (facts.splitsAsked.length > 0) out.push(`Only split ${facts.splitsAsked.join(', ')}.`);
  const { pictures } = protocol;
  if (pictures !== undefined && facts.classesAsked === undefined) {
    const count = (split: string): number => set.pictures.filter((picture) => picture.split === split).length;
    const [train, test] = [count('train'), count('test')];
    if (train !== pictures.train || test !== pictures.test) {
      out.push(
        `The data set has ${train} training and ${test} test pictures; the complete one ${pictures.train} and ${pictures.test}.`,
      );
    }
  }
  for (const warning of set.warnings) out.push(warning);

  const heldOut = heldOutPictures(plan);
  if (settings?.learnFromAll === true) {
    out.push(
      'All training pictures are learned from (files of identical content once), so each model’s own thresholds are assumed unless the set has validation pictures; no figure here depends on them. --set learnFromAll=false holds a tenth out.',
    );
  } else if (heldOut > 0) {
    out.push(
      `${heldOut} training pictures of the first model are held out for its thresholds (and files of identical content are learned once); the paper learns from all.`,
    );
  }
  if (plan.experiments.some(({ shots }) => shots !== undefined)) {
    out.push(
      'Few-shot: k training pictures in a row from the position of the seed (GeneralAD’s rule); the paper’s rule is not known.',
    );
  }
  if (plan.experiments.some(({ ablationRow }) => ablationRow === 5)) {
    out.push('Ablation row 5 trains on L_SE + L_SD; the paper only says that it sums to aggregate outputs.');
  }
  if (facts.seeds > 0) out.push(`Seeds 0 to ${facts.seeds - 1}; the paper's number of runs is not known.`);
  if (facts.pixels && settings !== undefined) {
    out.push('Pixel figures come from Dinomaly’s map (as its code takes them); the paper reports none.');
  }
  out.push(...protocol.openQuestions);
  return out;
}

/** An open switch of the method: what it is set to, and what is known (method-spec section 10). */
export interface OpenSwitch {
  setting: string;
  value: unknown;
  evidence: string;
}

/** The switches that the paper leaves open, as a run has them set; in order of effect. */
export function openSwitches(settings: PaperPreset): OpenSwitch[] {
  const of = (setting: string, evidence: string): OpenSwitch => ({
    setting,
    value: valueOf(settings, setting),
    evidence,
  });
  return [
    of(
      'seReduction',
      'Eq. 2 read literally is a sum over channels; with it the Noisy-OR’s gradient on the encoder student vanishes from the start (toy runs stay at log 2), with the mean it learns.',
    ),
    of(
      'sdScore',
      'Section 6 of the paper scores with the global cosine; its Table 3 row 2 equals Dinomaly’s figures, which come from the top 1 % of the map.',
    ),
    of(
      'encoderStudent.embeddings',
      'The text says “scratch”; only a student fed with the teacher’s embedded tokens gives Table 5’s 58.7 M and 233.1 M parameters.',
    ),
    of(
      'encoderStudent.layerScaleInit',
      'Not stated; 1 is the hub’s and learns fastest in toy runs, 1e-8 (Dinomaly’s loader) learns more slowly.',
    ),
    of(
      'decoderOrder',
      'Eq. 1 read literally pairs the groups forward; Dinomaly, which the paper adopts, mirrors them.',
    ),
    of('sdHardMining', 'Part of Dinomaly’s loss, which the paper adopts; eq. 1 does not show it.'),
    of(
      'posEmbed',
      'Dinomaly’s code uses scale_offset for all models; the register checkpoints were trained with size_antialias.',
    ),
    of('resize', 'Not stated; Dinomaly’s.'),
    of('crop', 'Not stated; Dinomaly’s.'),
    of('schedule.total', 'Not stated; Dinomaly’s by kind of data (single-class 5,000, Real-IAD 50,000).'),
    of('optimizer', 'Not stated; the bibliography ends with StableAdamW and AMSGrad, which are Dinomaly’s.'),
  ];
}

function valueOf(settings: PaperPreset | undefined, name: string): unknown {
  return name.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], settings);
}

/** Of the first model: all others follow the same rule. */
function heldOutPictures({ units }: Plan): number {
  const counts = new Map<string, number>();
  for (const { className, split } of units[0]?.train ?? []) {
    if (split === 'train') counts.set(className, (counts.get(className) ?? 0) + 1);
  }
  return [...counts.values()].reduce((sum, count) => sum + heldOutCount(count), 0);
}
