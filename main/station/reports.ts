import { lotReport } from '../../renderer/report/pdf/lot-report.ts';
import { modelCard } from '../../renderer/report/pdf/model-card.ts';
import { partCertificate } from '../../renderer/report/pdf/part-certificate.ts';
import { studyReportPage } from '../../renderer/report/pdf/study-report.ts';
import { reportWords, type ReportWords } from '../../renderer/report/pdf/words.ts';
import { UserError } from '../../shared/errors.ts';
import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import type { HistoryFilter } from '../../shared/ipc/history.ts';
import type { Settings } from '../../shared/ipc/settings.ts';
import type { StationModel, StationPart } from '../../shared/station/domain.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';

/** What reports are put together from: other services, as the window itself would ask them. */
export interface ReportSources {
  handlers: Pick<
    HandlersOf<'history' | 'models' | 'projects' | 'settings' | 'thresholds'>,
    | 'history.page'
    | 'history.part'
    | 'history.statistics'
    | 'models.list'
    | 'projects.list'
    | 'settings.get'
    | 'thresholds.history'
  >;
  /** A finished study. @throws UserError `studyRunning` */
  study(studyId: string): ChannelOutput<'study.results'>;
  /** Prints HTML; only the window's shell can. */
  print: (html: string, footer: string) => Promise<Uint8Array>;
  /** JPEG of a picture with a longest side of `sidePx`; undefined when it's not kept any more. */
  picture(projectId: string, sha256: string, sidePx: number): Promise<Uint8Array | undefined>;
  /** Transparent PNG to be laid over the picture. */
  heatMap(partId: number): Promise<Uint8Array | undefined>;
}

/** Longest list in a lot report; the rest is in the export. */
const mostParts = 400;
const pictureSidePx = 640;
/** Disagreements of a study that are printed. */
const mostStudyPictures = 60;

/** PDF reports: each is written whole or not at all. */
export function reportHandlers(context: StationContext, sources: ReportSources): HandlersOf<'reports'> {
  const { handlers } = sources;

  async function write(path: string, html: string, footer: string): Promise<{ path: string; pages: number }> {
    const pdf = await sources.print(html, footer);
    await writeFileAtomic(path, pdf);
    return { path, pages: pagesOf(pdf) };
  }

  async function frame(
    projectId: string,
    caller: Caller,
  ): Promise<{ words: ReportWords; language: Settings['language']; station: string; project: string }> {
    const settings = await handlers['settings.get']({}, caller);
    const project = (await handlers['projects.list']({}, caller)).find(({ id }) => id === projectId);
    return {
      words: reportWords(settings.language),
      language: settings.language,
      station: settings.stationName,
      project: project?.name ?? projectId,
    };
  }

  return {
    'reports.lot': async ({ filter, path }, caller) => {
      const { words, station, project } = await frame(filter.projectId, caller);
      const statistics = await handlers['history.statistics']({ filter, bucket: bucketOf(filter) }, caller);
      const notPassed = await partsNotPassed(filter, caller);
      const models = await handlers['models.list']({ projectId: filter.projectId }, caller);
      const used = new Set(notPassed.map(({ modelId }) => modelId));
      const html = lotReport(
        {
          station,
          project,
          lot: filter.lot,
          from: filter.from,
          to: filter.to,
          printedAt: context.now(),
          statistics,
          notPassed,
          models: models.filter(({ id, state }) => used.has(id) || state === 'active'),
        },
        words,
      );
      return write(path, html, `${words.lotReport} · ${project} · ${station}`);
    },

    'reports.part': async ({ partId, path }, caller) => {
      const part = await handlers['history.part']({ partId }, caller);
      if (part === null) throw new UserError('partUnknown', `There is no part ${partId}.`);
      const { words, station, project } = await frame(part.projectId, caller);
      const model = await modelOf(part, caller);
      const html = partCertificate(
        {
          station,
          project,
          printedAt: context.now(),
          part,
          picture: await pictureAddress(part.projectId, part.pictureSha256),
          heatMap: part.hasHeatMap ? dataAddress(await sources.heatMap(part.id), 'image/png') : null,
          similar: await pictureAddress(part.projectId, part.similarSha256),
          shares: part.shares,
          model: model === undefined ? null : { version: model.version, basis: model.basis },
        },
        words,
      );
      return write(path, html, `${words.partCertificate} · ${project} · ${station}`);
    },

    'reports.model': async ({ modelId, path }, caller) => {
      const model = await findModel(modelId, caller);
      const { words, station, project } = await frame(model.projectId, caller);
      const changes = await handlers['thresholds.history']({ modelId }, caller);
      const html = modelCard({ station, project, printedAt: context.now(), model, changes }, words);
      return write(path, html, `${words.modelCard} · ${project} · ${station}`);
    },

    'reports.study': async ({ studyId, path }, caller) => {
      const { html, footer } = await studyHtml(studyId, caller);
      record(context, caller, 'data.exported', studyId, { what: 'study', path });
      if (!/\.html?$/i.test(path)) return write(path, html, footer);
      await writeFileAtomic(path, html);
      return { path, pages: 1 };
    },
  };

  async function studyHtml(studyId: string, caller: Caller): Promise<{ html: string; footer: string }> {
    const results = sources.study(studyId);
    const { projectId } = results.study;
    const { words, station, project, language } = await frame(projectId, caller);
    const shown = results.disagreements.slice(0, mostStudyPictures);
    const pictures = new Map<string, string | null>();
    for (const { sha256 } of shown) pictures.set(sha256, await pictureAddress(projectId, sha256, 320));
    const page = { station, project, printedAt: context.now(), ...results, disagreements: shown, pictures };
    return { html: studyReportPage(page, words, language), footer: `${results.study.name} · ${project} · ${station}` };
  }

  async function partsNotPassed(filter: HistoryFilter, caller: Caller): Promise<StationPart[]> {
    const wanted = (['fail', 'review', 'noDecision'] as const).filter(
      (verdict) => (filter.verdict ?? verdict) === verdict,
    );
    const found: StationPart[] = [];
    for (const verdict of wanted) {
      const page = await handlers['history.page'](
        { filter: { ...filter, verdict }, before: null, limit: mostParts },
        caller,
      );
      found.push(...page.parts);
    }
    return found.sort((a, b) => b.id - a.id).slice(0, mostParts);
  }

  async function modelOf(part: StationPart, caller: Caller): Promise<StationModel | undefined> {
    const models = await handlers['models.list']({ projectId: part.projectId }, caller);
    return models.find(({ id }) => id === part.modelId);
  }

  async function findModel(modelId: string, caller: Caller): Promise<StationModel> {
    for (const project of await handlers['projects.list']({}, caller)) {
      const models = await handlers['models.list']({ projectId: project.id }, caller);
      const model = models.find(({ id }) => id === modelId);
      if (model !== undefined) return model;
    }
    throw new UserError('modelUnknown', `There is no model "${modelId}".`);
  }

  async function pictureAddress(
    projectId: string,
    sha256: string | null,
    sidePx = pictureSidePx,
  ): Promise<string | null> {
    return sha256 === null ? null : dataAddress(await sources.picture(projectId, sha256, sidePx), 'image/jpeg');
  }
}

function dataAddress(bytes: Uint8Array | undefined, type: string): string | null {
  return bytes === undefined ? null : `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
}

/** Hours for a day, days for weeks, weeks beyond. */
function bucketOf({ from, to }: HistoryFilter): 'hour' | 'day' | 'week' {
  if (from === null) return 'day';
  const days = (Date.parse(to ?? new Date().toISOString()) - Date.parse(from)) / 86_400_000;
  if (days <= 2) return 'hour';
  return days <= 90 ? 'day' : 'week';
}

/** Chromium writes one page object per page, uncompressed. */
function pagesOf(pdf: Uint8Array): number {
  return (
    Buffer.from(pdf)
      .toString('latin1')
      .match(/\/Type\s*\/Page\b/g)?.length ?? 0
  );
}
