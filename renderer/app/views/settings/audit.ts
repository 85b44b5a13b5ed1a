/** One line of an event's details: `thresholds › after › fail`, `0.74`. */
export interface DetailLine {
  path: string;
  value: string;
}

/** The details, which the log keeps as JSON, as lines to read; a text that was cut short stays one line. */
export function detailLines(details: string): DetailLine[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(details);
  } catch {
    return details === '' ? [] : [{ path: '', value: details }];
  }
  const lines: DetailLine[] = [];
  const walk = (value: unknown, path: string): void => {
    if (value === null) return;
    if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) {
      if (value.length > 0) lines.push({ path, value: value.join(', ') });
    } else if (typeof value === 'object')
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path} › ${key}`);
    else lines.push({ path, value: String(value) });
  };
  walk(parsed, '');
  return lines;
}
