import { createRandom } from '../../shared/random.ts';
import { memoryDefaults } from '../memory/defaults.ts';

/** Positions within one class's list of normal pictures. */
export interface ClassSplit {
  /** Pictures that memory and students learn from. */
  train: number[];
  /** Pictures that calibrate what was learnt; they are never learnt from. */
  heldOut: number[];
}

/**
 * Splits one class's normal pictures by a seeded permutation: `max(4, floor(n / 10))` held out, the rest to learn from
 * (embedded-recipe section 2). A class with few pictures holds nothing out: every picture counts there.
 * @param count number of normal pictures, at least 1
 * @param seed  the run's seed; the class name is mixed in so that classes don't share a permutation
 */
export function splitClass(count: number, className: string, seed: number): ClassSplit {
  const order = Array.from({ length: count }, (_, i) => i);
  if (count <= memoryDefaults.fewPictures) return { train: order, heldOut: [] };
  const random = createRandom(seed ^ hash(className));
  random.shuffle(order);
  const held = Math.max(memoryDefaults.heldOutMin, Math.floor(count * memoryDefaults.heldOutShare));
  const ascending = (a: number, b: number): number => a - b;
  return { train: order.slice(held).sort(ascending), heldOut: order.slice(0, held).sort(ascending) };
}

/** FNV-1a over UTF-16 units: a stable small number from a name. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
