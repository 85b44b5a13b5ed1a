import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { ReportData, ReportPart } from '../../renderer/report/report-data.ts';
import { renderReport } from '../../renderer/report/report.ts';
import { displayScore } from '../../shared/calibration/thresholds.ts';
import { writeError } from '../system/atomic-file.ts';
import { explain, scoreShares } from './explain.ts';
import { heatLayer } from './heat-map.ts';
import { displayPicture, encodeJpeg, encodeLayer, encodeOverlay, layerSize } from './part-pictures.ts';
import type { Evidence, PresentedPart, VerdictSink } from './pipeline.ts';
import type { Counters, InspectionRecord } from './record.ts';
import { csvHeader, csvLine, resultLine } from './results-table.ts';

/** Pictures of this many parts, least normal first, lie in report.html itself; the others beside it. */
export const embeddedParts = 300;

export interface ResultsInfo {
  title: string;
  model: { fileName: string; hash: string; classes: number };
  notes?: readonly string[];
}

/**
 * Results of one run of `inspect`: results.csv, results.json, overlays/ (parts to review and failed parts) and
 * report.html, with report-files/ beside it when there are more than {@link embeddedParts} parts. Everything is made in
 * a hidden folder inside the target and moved into place by `finish`, so that a run that is cancelled leaves the target
 * as it was.
 */
export class ResultsFolder implements VerdictSink {
  readonly #target: string;
  readonly #staging: string;
  readonly #csv: FileHandle;
  readonly #records: { record: InspectionRecord; picture: string | null; heat: string | null }[] = [];

  private constructor(target: string, staging: string, csv: FileHandle) {
    this.#target = target;
    this.#staging = staging;
    this.#csv = csv;
  }

  /** @throws UserError as `writeFileAtomic` when the folder can't be written */
  static async create(target: string): Promise<ResultsFolder> {
    try {
      await mkdir(target, { recursive: true });
      // Left by a run that was killed.
      for (const name of await readdir(target)) {
        if (name.startsWith(stagingPrefix)) await rm(join(target, name), { recursive: true, force: true });
      }
      const staging = await mkdtemp(join(target, stagingPrefix));
      await mkdir(join(staging, 'overlays'));
      await mkdir(join(staging, 'report-files'));
      const csv = await open(join(staging, 'results.csv'), 'w');
      await csv.write(csvHeader);
      return new ResultsFolder(target, staging, csv);
    } catch (error) {
      throw writeError(target, error);
    }
  }

  async accept(record: InspectionRecord, _part: PresentedPart, evidence: Evidence | undefined): Promise<void> {
    try {
      await this.#csv.write(csvLine(record));
      const pictures = evidence === undefined ? { picture: null, heat: null } : await this.#draw(record, evidence);
      this.#records.push({ record, ...pictures });
    } catch (error) {
      throw writeError(this.#target, error);
    }
  }

  /** Draws a part's pictures into the hidden folder and gives their names. */
  async #draw(
    record: InspectionRecord,
    { picture, result }: Evidence,
  ): Promise<{ picture: string; heat: string | null }> {
    const shown = displayPicture(picture);
    const name = `${String(this.#records.length + 1).padStart(5, '0')}-${safeStem(record.file)}`;
    const write = async (folder: string, file: string, bytes: Promise<Buffer>): Promise<void> => {
      await writeFile(join(this.#staging, folder, file), await bytes);
    };
    const size = layerSize(picture);
    const layer =
      record.thresholds === undefined ? undefined : heatLayer(result, record.thresholds, size.width, size.height);
    const jpeg = write('report-files', `${name}.jpg`, encodeJpeg(shown));
    if (layer === undefined) {
      await jpeg;
      return { picture: `${name}.jpg`, heat: null };
    }
    // Encoders work on threads of their own.
    await Promise.all([
      jpeg,
      write('report-files', `${name}.png`, encodeLayer(layer)),
      write('overlays', `${name}.png`, encodeOverlay(picture, layer)),
    ]);
    return { picture: `${name}.jpg`, heat: `${name}.png` };
  }

  /**
   * Writes the tables and the report and moves everything into place.
   * @returns path of the report
   */
  async finish(counters: Counters, info: ResultsInfo): Promise<string> {
    try {
      await this.#csv.close();
      const results = this.#records.map(({ record }) => ({ ...resultLine(record), id: record.id }));
      const json = { model: info.model, counts: counters, results };
      await writeFile(join(this.#staging, 'results.json'), `${JSON.stringify(json, null, 1)}\n`);
      await writeFile(join(this.#staging, 'report.html'), renderReport(await this.#reportData(counters, info)));
      for (const name of await readdir(this.#staging)) {
        await rm(join(this.#target, name), { recursive: true, force: true });
        await rename(join(this.#staging, name), join(this.#target, name));
      }
      await rm(this.#staging, { recursive: true, force: true });
      return join(this.#target, 'report.html');
    } catch (error) {
      throw writeError(this.#target, error);
    }
  }

  /** Throws everything away, e.g. after a cancel. Harmless after `finish`. */
  async discard(): Promise<void> {
    await this.#csv.close().catch(() => undefined);
    await rm(this.#staging, { recursive: true, force: true });
  }

  /** Ranks the parts and takes the first parts' pictures into the page. */
  async #reportData(counters: Counters, info: ResultsInfo): Promise<ReportData> {
    const ranked = [...this.#records].sort((a, b) => rankingScore(b.record) - rankingScore(a.record));
    const folder = join(this.#staging, 'report-files');
    const parts: ReportPart[] = [];
    for (const { record, picture, heat } of ranked) {
      const place = (name: string | null, type: string): Promise<string | null> =>
        parts.length < embeddedParts ? embed(folder, name, type) : Promise.resolve(beside(name));
      parts.push(reportPart(record, await place(picture, 'image/jpeg'), await place(heat, 'image/png')));
    }
    const all = parts.length <= embeddedParts;
    if (all) await rm(folder, { recursive: true, force: true });
    const where = all
      ? 'All pictures are inside this file.'
      : `Pictures of the first ${String(embeddedParts)} parts are inside this file, the others in the folder report-files beside it.`;
    return {
      title: info.title,
      createdAt: new Date().toISOString(),
      model: info.model,
      counts: { pass: counters.pass, fail: counters.fail, review: counters.review, noDecision: counters.noDecision },
      parts,
      notes: [where, ...(info.notes ?? [])],
    };
  }
}

const stagingPrefix = '.twinspect-partial-';

/** Distance beyond the fail threshold on the display's scale; a part without decision comes before all. */
function rankingScore({ predScore, thresholds }: InspectionRecord): number {
  return predScore === null || thresholds === undefined ? Infinity : displayScore(predScore, thresholds);
}

function reportPart(record: InspectionRecord, picture: string | null, heat: string | null): ReportPart {
  const { file, verdict, className, predScore, thresholds, similar, latencyMs } = record;
  const display =
    predScore === null || thresholds === undefined
      ? null
      : { score: displayScore(predScore, thresholds), review: displayScore(thresholds.review, thresholds) };
  return {
    file,
    verdict,
    className,
    why: explain(record),
    display,
    predScore,
    thresholds: thresholds ?? null,
    shares: scoreShares(record),
    similar: similar ?? null,
    latencyMs,
    picture,
    heat,
  };
}

/** Takes a picture into the page; its file goes. */
async function embed(folder: string, name: string | null, type: string): Promise<string | null> {
  if (name === null) return null;
  const path = join(folder, name);
  const bytes = await readFile(path);
  await rm(path);
  return `data:${type};base64,${bytes.toString('base64')}`;
}

function beside(name: string | null): string | null {
  return name === null ? null : `report-files/${encodeURIComponent(name)}`;
}

/** File name without folders and extension, without characters that some system forbids, at most 60 letters. */
function safeStem(file: string): string {
  const stem = basename(file, extname(file));
  const safe = [...stem.replace(/[\p{Cc}<>:"/\\|?*%#]/gu, '_')].slice(0, 60).join('');
  return safe.replace(/[. ]+$/, '_') || 'part';
}
