import { createHash } from 'node:crypto';
import { UserError } from '../../shared/errors.ts';
import type { PublishedPicture, PublishedSet } from '../datasets/published-set.ts';
import type { Setting } from './paper-tables.ts';
import type { Protocol } from './protocols.ts';

/** What a benchmark is asked for. */
export interface BenchmarkRequest {
  setting: Setting;
  preset: string;
  /** Number of seeds: 0, 1, ... */
  seeds: number;
  /** Training pictures of each class; one experiment each. Empty: all there are. */
  shots: readonly number[];
  /** Rows of the ablation (1 to 6), one experiment each. Empty: the method. */
  ablation: readonly number[];
  /** 1-based splits of a semantic set; empty: all. */
  splits: readonly number[];
  /** At most so many training and test pictures of each class: a trial run. */
  limit?: number;
}

/** One table: everything but seed and class is fixed. */
export interface Experiment {
  key: string;
  title: string;
  shots?: number;
  ablationRow?: number;
}

/** Test pictures that are ranked together. */
export interface Group {
  name: string;
  pictures: readonly PublishedPicture[];
}

/** One training with the groups its model is measured on. */
export interface Unit {
  /** Unique, safe as a file name. */
  key: string;
  title: string;
  experiment: Experiment;
  seed: number;
  train: readonly PublishedPicture[];
  groups: readonly Group[];
}

export interface Plan {
  experiments: Experiment[];
  units: Unit[];
  /** Of everything that decides the results: a run goes on only with the same plan. */
  fingerprint: string;
}

/**
 * Lays out all trainings and measurements of a benchmark.
 * @param identity further things that decide the results (settings, weight file, ...)
 * @throws UserError `splitUnknown`, `shotsTooMany`
 */
export function makePlan(protocol: Protocol, set: PublishedSet, request: BenchmarkRequest, identity: unknown): Plan {
  const limited = limit(set.pictures, request.limit);
  const experiments = experimentsOf(request);
  const units: Unit[] = [];
  for (const experiment of experiments) {
    for (let seed = 0; seed < request.seeds; seed++) {
      for (const part of partsOf(protocol, { ...set, pictures: limited }, request)) {
        const train = few(part.train, experiment.shots, seed);
        units.push({
          key: [experiment.key, `seed${seed}`, part.key].join('-').replaceAll(/[^\w.-]/g, '_'),
          title: `${experiment.title === '' ? '' : `${experiment.title}, `}${part.title}, seed ${seed}`,
          experiment,
          seed,
          train,
          groups: part.groups,
        });
      }
    }
  }
  const hash = createHash('sha256').update(JSON.stringify([protocol.id, request, identity]));
  for (const { key, train, groups } of units) {
    hash.update(`\n${key}`);
    for (const { path } of train) hash.update(`\n${path}`);
    for (const { name, pictures } of groups) hash.update(`\n${name} ${pictures.length}`);
  }
  return { experiments, units, fingerprint: hash.digest('hex') };
}

function experimentsOf({ shots, ablation }: BenchmarkRequest): Experiment[] {
  const rows = ablation.length === 0 ? [undefined] : ablation;
  const counts = shots.length === 0 ? [undefined] : shots;
  return rows.flatMap((row) =>
    counts.map((count): Experiment => {
      const words = [
        ...(row === undefined ? [] : [`ablation row ${row}`]),
        ...(count === undefined ? [] : [`${count}-shot`]),
      ];
      return {
        key: words.length === 0 ? 'all' : words.join('-').replaceAll(' ', '_'),
        title: words.join(', '),
        ...(count !== undefined && { shots: count }),
        ...(row !== undefined && { ablationRow: row }),
      };
    }),
  );
}

interface Part {
  key: string;
  title: string;
  train: PublishedPicture[];
  groups: Group[];
}

function partsOf(protocol: Protocol, set: PublishedSet, request: BenchmarkRequest): Part[] {
  if (protocol.kind === 'industrial') {
    const groupOf = (name: string): Group => ({
      name,
      pictures: set.pictures.filter(({ className, split }) => className === name && split === 'test'),
    });
    const learnt = set.pictures.filter(({ split }) => split !== 'test');
    if (request.setting === 'multi-class') {
      const count = set.classes.length;
      const title = `one model for ${count} ${count === 1 ? 'class' : 'classes'}`;
      return [{ key: 'all', title, train: learnt, groups: set.classes.map(groupOf) }];
    }
    return set.classes.map((name) => ({
      key: name,
      title: name,
      train: learnt.filter(({ className }) => className === name),
      groups: [groupOf(name)],
    }));
  }
  const splits =
    request.setting === 'multi-class'
      ? chosenSplits(protocol, set, request)
      : set.classes.map((name) => ({ key: name, name, normal: [name] }));
  return splits.map(({ key, name, normal }) => ({
    key,
    title: name,
    train: set.pictures.filter(({ split, className }) => split === 'train' && normal.includes(className)),
    groups: [{ name, pictures: oneVersusRest(set.pictures, normal) }],
  }));
}

function chosenSplits(protocol: Protocol, set: PublishedSet, { splits: asked }: BenchmarkRequest) {
  const all = protocol.splits ?? [];
  const unknown = asked.find((number) => all[number - 1] === undefined);
  if (unknown !== undefined) {
    throw new UserError('splitUnknown', `There is no split ${unknown}.`, `They are 1 to ${all.length}.`);
  }
  return all
    .map(({ name, normal }, i) => ({ number: i + 1, key: `split${i + 1}`, name, normal }))
    .filter(({ number }) => asked.length === 0 || asked.includes(number))
    .map(({ key, name, normal }) => ({ key, name, normal: normal.filter((one) => set.classes.includes(one)) }))
    .filter(({ normal }) => normal.length > 0);
}

/** All test pictures; those of other classes are the anomalies, under their class's name. */
function oneVersusRest(pictures: readonly PublishedPicture[], normal: readonly string[]): PublishedPicture[] {
  return pictures
    .filter(({ split }) => split === 'test')
    .map((picture) =>
      normal.includes(picture.className) ? picture : { ...picture, gtLabel: 'defect', defectType: picture.className },
    );
}

/** GeneralAD's rule, for want of the paper's: k training pictures in a row, from the position of the seed. */
function few(pictures: readonly PublishedPicture[], shots: number | undefined, seed: number): PublishedPicture[] {
  if (shots === undefined) return [...pictures];
  const names = [...new Set(pictures.map(({ className }) => className))];
  return names.flatMap((name) => {
    const own = pictures.filter(({ className, split }) => className === name && split === 'train');
    if (own.length < shots) {
      throw new UserError(
        'shotsTooMany',
        `"${name}" has ${own.length} training pictures, not ${shots}.`,
        'Ask for fewer.',
      );
    }
    return Array.from({ length: shots }, (_, i) => own[(seed + i) % own.length]!);
  });
}

/** Evenly over each class, split and label. */
function limit(pictures: readonly PublishedPicture[], most: number | undefined): PublishedPicture[] {
  if (most === undefined) return [...pictures];
  const groups = new Map<string, PublishedPicture[]>();
  for (const picture of pictures) {
    const key = [picture.className, picture.split, picture.gtLabel].join('\n');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [picture]);
    else group.push(picture);
  }
  return [...groups.values()].flatMap((group) => {
    const kept = Math.min(group.length, most);
    return Array.from({ length: kept }, (_, i) => group[Math.floor((i * group.length) / kept)]!);
  });
}
