import { BrowserWindow } from 'electron';
import { setTimeout as pause } from 'node:timers/promises';
import type { ReportFonts } from './report-fonts.ts';

/** Scheme of the page that is printed, see `registerSchemes`. */
export const reportScheme = 'report';
/** Typefaces are asked for once the page is laid out; this long after the last one there come no more. */
const quietMs = 120;
const longestWaitMs = 5000;

/**
 * Prints a self-contained HTML page to PDF: A4, page numbers, embedded fonts, charts as vectors.
 * The page is served from memory and may load nothing but the window's typefaces.
 *
 * @param footer plain text for the left of each page's foot
 * @param fonts  typefaces of the window
 */
export async function printPdf(html: string, footer: string, fonts: ReportFonts): Promise<Uint8Array> {
  const window = new BrowserWindow({
    show: false,
    webPreferences: { sandbox: true, contextIsolation: true, javascript: false, partition: 'report' },
  });
  let askedAtMs = performance.now();
  try {
    // A session of its own, in memory: the page may be larger than a data address can be, so it's served from there.
    window.webContents.session.protocol.handle(reportScheme, async ({ url }) => {
      const name = new URL(url).pathname.slice(1);
      askedAtMs = performance.now();
      if (name === 'fonts.css')
        return new Response(await fonts.rules(), { headers: { 'content-type': 'text/css; charset=utf-8' } });
      if (name !== '') {
        const file = await fonts.file(name);
        return file === undefined
          ? new Response(null, { status: 404 })
          : new Response(file, { headers: { 'content-type': 'font/woff2' } });
      }
      return new Response(html, {
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy':
            "default-src 'none'; style-src 'unsafe-inline' report:; img-src data:; font-src report:",
        },
      });
    });
    await window.loadURL('report://page/');
    const loadedAtMs = performance.now();
    while (performance.now() - askedAtMs < quietMs && performance.now() - loadedAtMs < longestWaitMs) await pause(20);
    return await window.webContents.printToPDF({
      printBackground: true,
      preferCSSPageSize: true,
      displayHeaderFooter: true,
      headerTemplate: '<span></span>',
      footerTemplate: `<div style="width:100%;font:8px sans-serif;color:#555;padding:0 12mm;display:flex;justify-content:space-between"><span>${escapeHtml(footer)}</span><span><span class="pageNumber"></span> / <span class="totalPages"></span></span></div>`,
      generateTaggedPDF: true,
      generateDocumentOutline: true,
    });
  } finally {
    window.webContents.session.protocol.unhandle(reportScheme);
    window.destroy();
  }
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
