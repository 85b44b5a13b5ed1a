/** Worker thread for k-centre: seconds of plain arithmetic that must not hold up progress and Cancel. */
import { parentPort } from 'node:worker_threads';
import type { Matrix } from '../../shared/linear-algebra.ts';
import { kCentrePicks } from '../memory/k-centre.ts';
import { serve } from './rpc.ts';

serve(parentPort!, {
  pick: ({ points, count }: { points: Matrix; count: number }) => kCentrePicks(points, count),
});
