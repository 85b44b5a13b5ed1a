import type { Matrix } from '../../shared/linear-algebra.ts';
import { WorkerClient } from './rpc.ts';

/**
 * `kCentrePicks` on a thread of its own; several calls run side by side.
 *
 * @param points `[candidates, d]`; they move to the thread and can't be used afterwards
 * @param signal ends the thread at once; the call then rejects with the signal's reason
 */
export async function kCentreInWorker(points: Matrix, count: number, signal?: AbortSignal): Promise<Int32Array> {
  signal?.throwIfAborted();
  const client = await WorkerClient.start('k-centre-worker');
  const stop = (): void => void client.terminate();
  signal?.addEventListener('abort', stop);
  try {
    // It may have been aborted while the thread started.
    signal?.throwIfAborted();
    return await client.call<Int32Array>('pick', { points, count }, [points.data.buffer as ArrayBuffer]);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    await client.terminate();
  }
}
