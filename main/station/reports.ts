import { lotReport } from '../../renderer/report/pdf/lot-report.ts';
import { modelCard } from '../../renderer/report/pdf/model-card.ts';
import { partCertificate } from '../../renderer/report/pdf/part-certificate.ts';
import { studyReportPage } from '../../renderer/report/pdf/study-report.ts';
import type { ReportWords } from '../../renderer/report/pdf/report-words.ts';
import { reportWords } from '../../renderer/report/pdf/words.ts';
import { UserError } from '../../shared/errors.ts';
import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import type { HistoryFilter } from '../../shared/ipc/history.ts';
import type { Settings } from '../../shared/ipc/settings.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { cardData, heldOf, mostRead, readParts, type ReadParts } from './report-data.ts';

/** What reports are put together from: other services, as the window itself would ask them. */
export interface ReportSources {
  handlers: Pick<
    HandlersOf<'history' | 'projects' | 'settings'>,
    'history.statistics' | 'projects.list' | 'settings.get'
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

const pictureSidePx = 640;
/** Disagreements of a study that are printed. */
const mostStudyPictures = 60;

/** PDF reports: each is written whole or not at all. */
export function reportHandlers(context: StationContext, sources: ReportSources): HandlersOf<'reports'> {
  const { handlers } = sources;
  const { store } = context;

  async function write(path: string, html: string, footer: string): Promise<{ path: string; pages: number }> {
    const pdf = await sources.print(html, footer);
    await writeFileAtomic(path, pdf);
    return { path, pages: pagesOf(pdf) };
  }

  async function frame(
    projectId: string,
    caller: Caller,
  ): Promise<{
    words: ReportWords;
    language: Settings['language'];
    station: string;
    project: string;
    pxPerMm: number | null;
  }> {
    const settings = await handlers['settings.get']({}, caller);
    const project = (await handlers['projects.list']({}, caller)).find(({ id }) => id === projectId);
    return {
      words: reportWords(settings.language),
      language: settings.language,
      station: settings.stationName,
      project: project?.name ?? projectId,
      pxPerMm: project?.pxPerMm ?? null,
    };
  }

  return {
    'reports.lot': async ({ filter, path }, caller) => {
      const { words, station, project } = await frame(filter.projectId, caller);
      const { more, ...read } = await readParts(store, filter);
      const bucket = bucketOf(filter, read.span);
      const html = lotReport(
        {
          station,
          project,
          filter,
          printedAt: context.now(),
          printedBy: caller.name,
          statistics: await handlers['history.statistics']({ filter, bucket }, caller),
          bucket,
          onlyNewest: more ? mostRead : null,
          ...read,
        },
        words,
      );
      const written = await write(path, html, `${words.lotReport} · ${project} · ${station}`);
      record(context, caller, 'data.exported', filter.projectId, { what: 'lot report', lot: filter.lot, path });
      return written;
    },

    'reports.part': async ({ partId, path }, caller) => {
      const part = store.parts.get(partId);
      if (part === null) throw new UserError('partUnknown', `There is no part ${partId}.`);
      const { words, station, project, pxPerMm } = await frame(part.projectId, caller);
      const model = part.modelId === null ? null : store.models.find(part.modelId);
      const html = partCertificate(
        {
          station,
          project,
          printedAt: context.now(),
          printedBy: caller.name,
          part,
          picture: await pictureAddress(part.projectId, part.pictureSha256),
          heatMap: part.hasHeatMap ? dataAddress(await sources.heatMap(part.id), 'image/png') : null,
          similar: await pictureAddress(part.projectId, part.similarSha256),
          modelVersion: model?.version ?? null,
          held: model === null ? null : heldOf(store, model, part),
          answers: store.parts.answers(part.id),
          pxPerMm,
        },
        words,
      );
      const written = await write(path, html, `${words.partCertificate} · ${project} · ${station}`);
      record(context, caller, 'data.exported', `part ${partId}`, { what: 'part certificate', path });
      return written;
    },

    'reports.model': async ({ modelId, path }, caller) => {
      const model = store.models.get(modelId);
      const { words, station, project } = await frame(model.projectId, caller);
      const frameOf = { station, project, printedAt: context.now(), printedBy: caller.name };
      const html = modelCard({ ...frameOf, model, ...cardData(store, model) }, words);
      const written = await write(path, html, `${words.modelCard} · ${project} · ${station}`);
      record(context, caller, 'data.exported', model.modelHash, { what: 'model card', path });
      return written;
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

/** Hours for a day or two, days for weeks, weeks beyond. */
function bucketOf({ from, to }: HistoryFilter, span: ReadParts['span']): 'hour' | 'day' | 'week' {
  const first = from ?? span?.first;
  const last = to ?? span?.last;
  if (first === undefined || last === undefined) return 'day';
  const days = (Date.parse(last) - Date.parse(first)) / 86_400_000;
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
