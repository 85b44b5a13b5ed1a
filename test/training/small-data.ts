import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DetectionResult } from '../../shared/detection.ts';
import { checkFusedGraph } from '../../main/detector/check-graph.ts';
import { openDetector } from '../../main/detector/open-detector.ts';
import { readPackage, type ModelPackage } from '../../main/package/read-package.ts';
import { readPicture } from '../../main/pictures/decode.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { projectRoot } from '../../main/system/project-root.ts';
import type { TrainingRequest } from '../../main/training/request.ts';

/** The pictures that come with Twinspect: papers, one folder per printed part. */
export const papers = path.join(projectRoot(), 'models', 'sample', 'papers');

/** Two parts that look nothing like each other. */
export const twoParts = ['PA_BDP01_TL', 'PA_ZPB01_RL'] as const;

/** A folder that is gone after the test, and what tests do in it. */
export class Workplace {
  readonly root: string;
  #runs = 0;

  private constructor(root: string) {
    this.root = root;
  }

  /** @param name kept in the folder's name: tests give umlauts and emoji */
  static async make(name = 'training'): Promise<Workplace> {
    return new Workplace(await mkdtemp(path.join(tmpdir(), `twinspect ${name} `)));
  }

  remove(): Promise<void> {
    return rm(this.root, { recursive: true, force: true, maxRetries: 3 });
  }

  /** @param counts how many of a part's pictures go into each folder */
  async part(
    name: string,
    counts: Record<string, number>,
    { data = 'data', as = name }: { data?: string; as?: string } = {},
  ): Promise<string> {
    const root = path.join(this.root, data);
    for (const [folder, count] of Object.entries(counts)) {
      const target = path.join(root, as, folder);
      await mkdir(target, { recursive: true });
      for (const picture of await pictures(name, folder, count)) {
        await cp(picture, path.join(target, path.basename(picture)));
      }
    }
    return root;
  }

  /** A request that trains on `data` into a folder of its own; one thread, one cache for the whole workplace. */
  request(changes: Partial<TrainingRequest> = {}): TrainingRequest {
    return {
      dataDirs: [path.join(this.root, 'data')],
      preset: 'embedded',
      seed: 1,
      out: path.join(this.root, `run ${String(++this.#runs)}`, 'model.twin'),
      engine: 'cpu',
      threads: 1,
      steps: 4,
      resume: false,
      instant: true,
      cacheDir: path.join(this.root, 'cache'),
      ...changes,
    };
  }

  /** Names of all files in the folder that a request writes to, hidden ones too; empty where there is none. */
  written({ out }: TrainingRequest): Promise<string[]> {
    return readdir(path.dirname(out)).catch(() => []);
  }
}

/** The first pictures of a part in one folder, such as `train/good`. */
export async function pictures(part: string, folder: string, count: number): Promise<string[]> {
  const all = (await readdir(path.join(papers, part, folder))).sort();
  if (all.length < count) throw new Error(`${part}/${folder} has only ${String(all.length)} pictures`);
  return all.slice(0, count).map((name) => path.join(papers, part, folder, name));
}

export function openPackage(file: string): Promise<ModelPackage> {
  return readPackage(file, { checkGraph: checkFusedGraph });
}

/** Scores picture files as inspection does. */
export async function scoreFiles(modelPath: string, files: readonly string[]): Promise<DetectionResult[]> {
  const detector = await openDetector(modelPath, { engine: 'cpu', threads: 1 });
  try {
    const prepared = await Promise.all(
      files.map(async (file) =>
        preparePicture(await readPicture(file), { size: detector.inputSize, filter: 'bilinear' }),
      ),
    );
    return await detector.inspect(prepared);
  } finally {
    await detector.close();
  }
}

/** A signal that never comes. */
export const never = new AbortController().signal;

export function ignore(): void {
  // For events that a test doesn't look at.
}
