/** How many of the ascending scores lie below a threshold. */
export function countBelow(sorted: ArrayLike<number>, threshold: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}
