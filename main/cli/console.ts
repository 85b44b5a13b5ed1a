import { Format, SingleBar } from 'cli-progress';

/** Where text goes; tests put their own in. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether `err` is a terminal that a person watches: bars there, plain lines elsewhere. */
  interactive: boolean;
}

/** What a command says while it works. */
export interface Reporter {
  readonly json: boolean;
  /** A line for people: standard output, or standard error when that is kept for JSON. */
  say(line: string): void;
  /** A line for people that is not a result: always standard error. */
  note(line: string): void;
  /** One line of JSON on standard output; nothing without `--json`. */
  record(value: unknown): void;
  /** Starts a progress display; the one before ends. The unit `%` shows the share instead of the numbers. */
  progress(label: string, total: number, unit: string): Progress;
  /** Takes the progress display away. */
  settle(): void;
}

/** A progress display. */
export interface Progress {
  /** @param detail short words behind the numbers, e.g. losses */
  update(done: number, remainingMs?: number, detail?: string): void;
  end(): void;
}

/** The process's own streams. A reader that goes away (`| head`) ends the output, not the work. */
export function processTerminal(): Terminal {
  const write = (stream: NodeJS.WriteStream) => (text: string) => {
    if (!stream.destroyed) stream.write(text);
  };
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  return { out: write(process.stdout), err: write(process.stderr), interactive: process.stderr.isTTY };
}

/** @param json results go to standard output as JSON, words to standard error */
export function createReporter(terminal: Terminal, json: boolean): Reporter {
  let current: Progress | undefined;
  const settle = (): void => {
    current?.end();
    current = undefined;
  };
  const line = (write: (text: string) => void) => (text: string) => {
    settle();
    write(`${text}\n`);
  };
  return {
    json,
    say: line(json ? terminal.err : terminal.out),
    note: line(terminal.err),
    record: (value) => {
      if (json) terminal.out(`${JSON.stringify(value)}\n`);
    },
    progress: (label, total, unit) => {
      settle();
      current = terminal.interactive ? bar(label, total, unit) : plainLines(terminal, label, total, unit);
      return current;
    },
    settle,
  };
}

function bar(label: string, total: number, unit: string): Progress {
  const shown = new SingleBar({
    format: (_options, params, payload: { remaining: string; detail: string }) =>
      `${label.padEnd(10)} ${Format.BarFormat(params.progress, { barsize: 28, barCompleteString: '█'.repeat(28), barIncompleteString: '░'.repeat(28) })} ` +
      `${amount(params.value, params.total, unit, '/')}${payload.remaining}${payload.detail}`,
    clearOnComplete: true,
    // A hidden cursor would stay hidden after a hard stop.
    hideCursor: false,
    fps: 8,
    stream: process.stderr,
    // Ctrl-C is the command's business: it cancels the work and says so.
    gracefulExit: false,
  });
  shown.start(total, 0, { remaining: '', detail: '' });
  let ended = false;
  return {
    update: (done, remainingMs, detail) => {
      if (!ended)
        shown.update(done, { remaining: timeLeft(remainingMs), detail: detail === undefined ? '' : `  ${detail}` });
    },
    end: () => {
      ended = true;
      shown.stop();
    },
  };
}

/** A line at each tenth of the way: enough for a log file. */
function plainLines(terminal: Terminal, label: string, total: number, unit: string): Progress {
  let shownTenths = 0;
  return {
    update: (done, remainingMs, detail) => {
      const tenths = Math.floor((10 * done) / Math.max(1, total));
      if (tenths <= shownTenths) return;
      shownTenths = tenths;
      const tail = detail === undefined ? '' : `  ${detail}`;
      terminal.err(`${label}: ${amount(done, total, unit, ' of ')}${timeLeft(remainingMs)}${tail}\n`);
    },
    end: () => undefined,
  };
}

/** `12/40 pictures`, or for the unit `%` the share alone. */
function amount(done: number, total: number, unit: string, between: string): string {
  return unit === '%'
    ? `${((100 * done) / Math.max(1, total)).toFixed(0)} %`
    : `${String(done)}${between}${String(total)} ${unit}`;
}

function timeLeft(remainingMs: number | undefined): string {
  return remainingMs === undefined ? '' : `, ${formatDuration(remainingMs)} left`;
}

/** `850 ms`, `12.3 s`, `4 min 05 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${String(Math.round(ms))} ms`;
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${String(Math.floor(seconds / 60))} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/**
 * Plain-text table: first column to the left, numbers to the right.
 * @param rows cells as they are to be shown
 */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, c) =>
    Math.max(displayWidth(title), ...rows.map((row) => displayWidth(row[c] ?? ''))),
  );
  const render = (row: readonly string[]): string =>
    widths
      .map((width, c) => {
        const cell = row[c] ?? '';
        const gap = ' '.repeat(width - displayWidth(cell));
        return c === 0 ? cell + gap : gap + cell;
      })
      .join('  ')
      .trimEnd();
  return [render(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(render)].join('\n');
}

/** Columns a text takes on a terminal: East Asian wide letters take two, combining marks none. */
function displayWidth(text: string): number {
  let width = 0;
  for (const char of text.normalize('NFC')) {
    if (/\p{Mark}|\u200d|\ufe0f/u.test(char)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        char,
      )
        ? 2
        : 1;
  }
  return width;
}
