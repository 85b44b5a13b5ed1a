import { BrowserWindow } from 'electron';

/**
 * Prints a self-contained HTML page to PDF: A4, page numbers, embedded fonts, charts as vectors.
 * The page comes as a data address and may load nothing.
 *
 * @param footer plain text for the left of each page's foot
 */
export async function printPdf(html: string, footer: string): Promise<Uint8Array> {
  const window = new BrowserWindow({
    show: false,
    webPreferences: { sandbox: true, contextIsolation: true, javascript: false, partition: 'report' },
  });
  try {
    // A session of its own, in memory: the page may be larger than a data address can be, so it's served from there.
    window.webContents.session.protocol.handle('report', () => {
      return new Response(html, {
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:",
        },
      });
    });
    await window.loadURL('report://page/');
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
    window.webContents.session.protocol.unhandle('report');
    window.destroy();
  }
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
