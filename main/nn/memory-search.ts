/**
 * The search of the normal memory as pure tensor functions (embedded-recipe section 3.3; docs/method.md, Search): the
 * nearest entry of every token among the entries of its picture's class, in one exact pass or in two.
 */
import { tf, type Tensor } from './tf.ts';

/** Entries of one block of a bank, and of one group that the first pass picks. */
const blockEntries = 256;
const groupEntries = 32;
const groupsPerBlock = blockEntries / groupEntries;
/** Groups whose best entry is compared exactly, where tokens are many, and where so few that more cost nothing. */
const candidates = { manyTokens: 3, fewTokens: 8 };
/** Few tokens. */
const fewTokens = 100;
/** Largest integer of a token's code. */
const tokenCodeMax = 127;

/** What both searches know of a bank: see `SearchIndex` in main/memory. */
interface BankLayout {
  /** `[C, M]` int32 blocks of each class. */
  classBlocks: Tensor;
  /** `[C, D]` mean entry of each class, taken off first. */
  centres: Tensor;
}

/** A bank for the search in one pass. */
export interface ExactBank extends BankLayout {
  /** `[N, D + 1, 256]` entries less their class's mean: `-2 b` and, in the last row, `|b|^2` (a huge cost = masked). */
  lookup: Tensor;
}

/** A bank for the search in two passes: see `SearchCodes` in main/memory. */
export interface CodedBank extends BankLayout {
  /** `[N, D + normRows + maskRows, 256]` int32 within -127..127 */
  table: Tensor;
  normRows: number;
  maskRows: number;
  /** `[C, D]` */
  scales: Tensor;
  /** `[N * 256, D]` the entries, for the exact distances; padding lies far away. */
  vectors: Tensor;
}

export type SearchBank = ExactBank | CodedBank;

export interface Nearest {
  /** `[B * T]` Euclidean distance to the entry found. */
  distance: Tensor;
  /** `[B * T]` int32 entry. */
  index: Tensor;
}

/**
 * Nearest entry of every token among the entries of its picture's class.
 * @param tokens `[B, T, D]`
 * @param classIndex `[B]` int32
 */
export function nearestEntries(tokens: Tensor, classIndex: Tensor, bank: SearchBank): Nearest {
  return 'table' in bank ? nearestInTwoPasses(tokens, classIndex, bank) : nearestExactly(tokens, classIndex, bank);
}

/** Tokens less their class's mean entry. `[B, T, D]` */
function centredTokens(tokens: Tensor, classIndex: Tensor, { centres }: BankLayout): Tensor {
  return tf.sub(tokens, tf.expandDims(tf.gather(centres, classIndex), 1));
}

/** One product of the tokens with all entries of the class, in 32-bit floats. */
function nearestExactly(tokens: Tensor, classIndex: Tensor, bank: ExactBank): Nearest {
  const [pictures, count, dims] = tokens.shape as [number, number, number];
  const widest = bank.classBlocks.shape[1]!;
  const flat = tf.reshape(centredTokens(tokens, classIndex, bank), [pictures * count, dims]) as tf.Tensor2D;
  const ones = tf.onesLike(tf.slice(flat, [0, 0], [-1, 1]));
  const queries = tf.reshape(tf.concat([flat, ones], 1), [pictures, count, dims + 1]);

  const blocks = tf.gather(bank.classBlocks, classIndex);
  const own = tf.transpose(tf.gather(bank.lookup, blocks), [0, 2, 1, 3]);
  // |t - b|^2 less |t|^2, which all entries share, in one product
  const cost = tf.matMul(queries, tf.reshape(own, [pictures, dims + 1, widest * blockEntries]));
  const grouped = tf.reshape(cost, [pictures * count, widest, blockEntries]);
  const group = tf.argMin(tf.min(grouped, 2), 1);
  const row = tf.gather(grouped, group, 1, 1);
  const within = tf.argMin(row, 1);
  const block = tf.gather(blocks, tf.reshape(group, [pictures, count]), 1, 1);
  const index = tf.add(tf.mul(tf.reshape(block, [pictures * count]), tf.scalar(blockEntries, 'int32')), within);
  const squared = tf.add(tf.sum(tf.square(flat), 1), tf.min(row, 1));
  return { distance: tf.sqrt(tf.maximum(squared, 0)), index };
}

/**
 * First pass: an 8-bit product ranks all entries of the class. Second pass: exact distances to the best entry of each of
 * the best groups of 32. The nearest entry is missed where rounding puts as many groups, or another entry of its own
 * group, before it: then that one is nearly as near.
 */
function nearestInTwoPasses(tokens: Tensor, classIndex: Tensor, bank: CodedBank): Nearest {
  const [pictures, count] = tokens.shape as [number, number];
  const widest = bank.classBlocks.shape[1]!;
  const blocks = tf.gather(bank.classBlocks, classIndex);
  const queries = tf.tile(tf.expandDims(tokenCodes(tokens, classIndex, bank), 1), [1, widest, 1, 1]);
  const likeness = tf.matMul(tf.cast(queries, 'int32'), tf.gather(bank.table, blocks));

  // [B, M, T, 8, 32]: the best of every group, then the best groups of every token
  const groups = tf.reshape(likeness, [pictures, widest, count, groupsPerBlock, groupEntries]);
  const best = tf.transpose(tf.max(groups, 4), [0, 2, 1, 3]);
  const perToken = widest * groupsPerBlock;
  const kept = Math.min(count > fewTokens ? candidates.manyTokens : candidates.fewTokens, perToken);
  const chosen = tf.topk(tf.reshape(best, [pictures * count, perToken]), kept, false).indices;
  const group = tf.reshape(chosen, [pictures, count, kept]);
  const blockAt = tf.floorDiv(group, tf.scalar(groupsPerBlock, 'int32'));
  // Rows of `groups`: (block, token, group in the block)
  const token = tf.reshape(tf.range(0, count * groupsPerBlock, groupsPerBlock, 'int32'), [1, count, 1]);
  const skipped = tf.mul(blockAt, tf.scalar((count - 1) * groupsPerBlock, 'int32'));
  const row = tf.reshape(tf.add(tf.add(group, skipped), token), [pictures, count * kept]);
  const members = tf.gather(tf.reshape(groups, [pictures, widest * count * groupsPerBlock, groupEntries]), row, 1, 1);
  const within = tf.reshape(tf.argMax(members, 2), [pictures, count, kept]);

  const flatBlock = tf.reshape(blockAt, [pictures, count * kept]);
  const block = tf.reshape(tf.gather(blocks, flatBlock, 1, 1), [pictures, count, kept]);
  // block * 256 + group in the block * 32 + entry in the group
  const first = tf.mul(tf.sub(block, blockAt), tf.scalar(blockEntries, 'int32'));
  const entry = tf.add(tf.add(first, tf.mul(group, tf.scalar(groupEntries, 'int32'))), within);

  const difference = tf.sub(tf.expandDims(tokens, 2), tf.gather(bank.vectors, entry));
  const squared = tf.reshape(tf.sum(tf.square(difference), 3), [pictures * count, kept]);
  const nearest = tf.argMin(squared, 1);
  const index = tf.gather(tf.reshape(entry, [pictures * count, kept]), nearest, 1, 1);
  return { distance: tf.sqrt(tf.min(squared, 1)), index };
}

/** Tokens as `SearchCodes` says: `[q | m | 127]`, whole numbers within -127..127. `[B, T, D]` to `[B, T, D + normRows + maskRows]` */
function tokenCodes(tokens: Tensor, classIndex: Tensor, bank: CodedBank): Tensor {
  const [pictures, count] = tokens.shape as [number, number];
  const scaled = tf.mul(centredTokens(tokens, classIndex, bank), tf.expandDims(tf.gather(bank.scales, classIndex), 1));
  const peak = tf.maximum(tf.max(tf.abs(scaled), 2, true), 1);
  const multiplier = tf.maximum(tf.floor(tf.div(tokenCodeMax, peak)), 1);
  // Further than 127 only with a multiplier of 1.
  const rounded = tf.floor(tf.add(tf.mul(scaled, multiplier), 0.5));
  const codes = tf.clipByValue(rounded, -tokenCodeMax, tokenCodeMax);
  const norms = tf.tile(multiplier, [1, 1, bank.normRows]);
  const masks = tf.tile(tf.fill([pictures, count, 1], tokenCodeMax), [1, 1, bank.maskRows]);
  return tf.concat([codes, norms, masks], 2);
}
