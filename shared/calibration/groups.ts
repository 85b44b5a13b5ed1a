import { createRandom } from '../random.ts';
import { UserError } from '../errors.ts';

/**
 * Splits that keep groups whole. Parts of one lot, or pictures of one serial number, resemble each other: with one of
 * them on each side of a split, what is learnt on one side is known on the other, and figures flatter.
 */

/** One side of a split: positions in the list given, ascending. */
export interface GroupSplit {
  sides: number[][];
  /** Groups on each side. */
  groups: string[][];
}

/**
 * Distributes whole groups over sides. Seeded; each group goes to the side that is farthest below its share of the parts
 * of that group's kind, largest groups first, so that shares hold as well as whole groups allow, per stratum.
 * @param groups group of each part
 * @param shares wanted share of each side, positive, any scale
 * @param strata kind of each part that should be shared out evenly (label, class); default: all alike
 * @throws UserError `tooFewGroups` when there are fewer groups than sides
 */
export function splitByGroup(
  groups: readonly string[],
  shares: readonly number[],
  seed: number,
  strata?: readonly string[],
): GroupSplit {
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.length === 0 || shares.some((share) => !(share > 0 && Number.isFinite(share)))) {
    throw new RangeError(`shares ${shares.join(', ')}`);
  }
  const members = new Map<string, number[]>();
  groups.forEach((group, i) => {
    const list = members.get(group);
    if (list === undefined) members.set(group, [i]);
    else list.push(i);
  });
  if (members.size < shares.length) {
    throw new UserError(
      'tooFewGroups',
      `${members.size} group(s) cannot be shared out over ${shares.length} sides without cutting one in two.`,
      'Give pictures of more lots, or another way to tell lots apart.',
    );
  }
  const kindOf = (i: number): string => strata?.[i] ?? '';
  const wanted = new Map<string, number>();
  groups.forEach((_, i) => wanted.set(kindOf(i), (wanted.get(kindOf(i)) ?? 0) + 1));
  const order = createRandom(seed).shuffle([...members.keys()].sort());
  order.sort((a, b) => members.get(b)!.length - members.get(a)!.length);
  const sides = shares.map((): number[] => []);
  const kept = shares.map((): string[] => []);
  const filled = shares.map(() => new Map<string, number>());
  order.forEach((group, position) => {
    const own = members.get(group)!;
    // An empty side must still get one of the groups that are left.
    const empty = kept.filter((list) => list.length === 0).length;
    const mustFill = order.length - position <= empty;
    let best = -1;
    let most = -Infinity;
    shares.forEach((share, side) => {
      if (mustFill && kept[side]!.length > 0) return;
      let lack = 0;
      for (const i of own) {
        const kind = kindOf(i);
        const goal = (share / total) * wanted.get(kind)!;
        lack += (goal - (filled[side]!.get(kind) ?? 0)) / goal;
      }
      if (lack <= most) return;
      most = lack;
      best = side;
    });
    kept[best]!.push(group);
    sides[best]!.push(...own);
    for (const i of own) filled[best]!.set(kindOf(i), (filled[best]!.get(kindOf(i)) ?? 0) + 1);
  });
  for (const side of sides) side.sort((a, b) => a - b);
  return { sides, groups: kept.map((list) => list.sort()) };
}

/** Groups that lie on both sides, sorted; an empty list is what a split must show. */
export function leakingGroups(one: readonly string[], other: readonly string[]): string[] {
  const known = new Set(one);
  return [...new Set(other.filter((group) => known.has(group)))].sort();
}

/**
 * Reads a part's group from its file name: the first capture group of the pattern, else the whole match. A name that
 * doesn't match is a group of its own.
 * @throws UserError `groupPattern` when the text is no pattern
 */
export function groupReader(pattern: string): (fileName: string) => string {
  let compiled: RegExp;
  try {
    compiled = new RegExp(pattern, 'u');
  } catch (error) {
    throw new UserError(
      'groupPattern',
      `"${pattern}" is no pattern: ${error instanceof Error ? error.message : String(error)}.`,
      'Give a regular expression whose first bracket holds the lot, e.g. "lot-(\\d+)".',
      { cause: error },
    );
  }
  return (fileName) => {
    const match = compiled.exec(fileName);
    return match === null ? `\0${fileName}` : (match[1] ?? match[0]);
  };
}

/**
 * How many independent parts the parts of groups are worth: n / (1 + (s - 1) rho), s the mean squared group size over the
 * mean size, rho the intraclass correlation of the scores (one-way analysis of variance, at least 0). Kish 1965.
 */
export function effectiveCount(scores: ArrayLike<number>, groups: readonly string[]): number {
  const n = groups.length;
  const sums = new Map<string, { sum: number; count: number }>();
  let total = 0;
  groups.forEach((group, i) => {
    const entry = sums.get(group) ?? { sum: 0, count: 0 };
    entry.sum += scores[i]!;
    entry.count++;
    total += scores[i]!;
    sums.set(group, entry);
  });
  const k = sums.size;
  if (k === n || n < 2) return n;
  let between = 0;
  let squaredSizes = 0;
  for (const { sum, count } of sums.values()) {
    between += count * (sum / count - total / n) ** 2;
    squaredSizes += count * count;
  }
  let within = 0;
  groups.forEach((group, i) => {
    const { sum, count } = sums.get(group)!;
    within += (scores[i]! - sum / count) ** 2;
  });
  const size = squaredSizes / n;
  // One group shows no spread between groups: it may be worth a single part.
  if (k === 1) return 1;
  const meanWithin = within / (n - k);
  const meanBetween = between / (k - 1);
  const typical = (n - squaredSizes / n) / (k - 1);
  const variance = Math.max(0, (meanBetween - meanWithin) / typical);
  const rho = variance + meanWithin === 0 ? 0 : variance / (variance + meanWithin);
  return n / (1 + (size - 1) * rho);
}
