/** The PyTorch side of a benchmark: a script that does one round, and times it, whenever a line asks for one. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import type { Took } from './tools.ts';

export interface TorchSide {
  /** What runs there: versions, threads. */
  about: string;
  /**
   * One round. `more` is what the script says beside its times.
   * @param request which one, where the script knows several
   */
  run(request?: string): Promise<{ took: Took; more: number[] }>;
  end(): void;
}

/**
 * Starts one of the PyTorch scripts of this folder.
 * @param python an interpreter that has torch
 * @param config handed to the script as JSON
 */
export async function startTorch(
  python: string,
  script: string,
  config: Readonly<Record<string, unknown>> & { threads: number },
): Promise<TorchSide> {
  const child = spawn(python, [path.resolve('bench', script), JSON.stringify(config)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Waiting threads must not take the cores from the other side.
    env: { ...process.env, OMP_WAIT_POLICY: 'passive', KMP_BLOCKTIME: '0', OMP_NUM_THREADS: String(config.threads) },
  });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the PyTorch side ended');
    return value as string;
  };
  return {
    about: await line(),
    run: async (request = 'step') => {
      child.stdin.write(`${request}\n`);
      const [clock, processor, ...more] = (await line()).split(' ').map(Number);
      return { took: { clock: clock!, processor: processor! }, more };
    },
    end: () => child.stdin.end(),
  };
}
