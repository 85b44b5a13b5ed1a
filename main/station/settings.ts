import { hostname } from 'node:os';
import { type Settings, settings as settingsSchema } from '../../shared/ipc/settings.ts';
import { eventLine, type JsonValue } from '../../shared/audit/event.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import { verifyAuditLog } from '../audit/verify.mjs';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';

/** What a new station starts with. */
export function defaultSettings(): Settings {
  return {
    stationName: hostname().slice(0, 120).trim() || 'Station 1',
    language: 'en',
    theme: 'system',
    engine: 'auto',
    sound: false,
    shifts: [
      { name: 'Early', start: '06:00' },
      { name: 'Late', start: '14:00' },
      { name: 'Night', start: '22:00' },
    ],
    lockAfterMin: 15,
    storage: { limitGb: 100, keepFailsDays: 3650, keepPassesDays: 30, keepEveryNthPass: 20 },
  };
}

/** The station's settings; values that an older program wrote in another way fall back to the defaults, one by one. */
export function readSettings(context: Pick<StationContext, 'store'>): Settings {
  const defaults = defaultSettings();
  const stored = context.store.settings.get('settings');
  if (typeof stored !== 'object' || stored === null) return defaults;
  const whole = settingsSchema.safeParse({ ...defaults, ...stored });
  if (whole.success) return whole.data;
  const bad = new Set(whole.error.issues.map(({ path }) => path[0]));
  const good = Object.fromEntries(Object.entries(stored).filter(([key]) => !bad.has(key)));
  return settingsSchema.parse({ ...defaults, ...good });
}

/** Name of the shift that a moment lies in, by the station's own clock; null when there are none. */
export function shiftAt(settings: Pick<Settings, 'shifts'>, isoTime: string): string | null {
  const date = new Date(isoTime);
  const now = `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
  const byStart = [...settings.shifts].sort((a, b) => (a.start < b.start ? -1 : 1));
  // Before the first start of the day, yesterday's last shift is still on.
  return (byStart.findLast(({ start }) => start <= now) ?? byStart.at(-1))?.name ?? null;
}

/** Settings and the audit log. */
/** The signatures of the audit log: brings them up to date, and gives what it takes to check them. */
export interface LogSignatures {
  /** Signs the newest event, then gives the signed checkpoints as stored and the key they are checked with. */
  current(): Promise<{ checkpoints: Buffer; publicKeyPem: string }>;
}

/** @param signatures without them the log is checked against itself alone */
export function settingsHandlers(
  context: StationContext,
  signatures?: LogSignatures,
): HandlersOf<'settings' | 'audit'> {
  const { store } = context;
  const seenBy = (settings: Settings, caller: Pick<Caller, 'userId'>): Settings => {
    const language = store.users.list().find(({ id }) => id === caller.userId)?.language ?? null;
    const known = settingsSchema.shape.language.safeParse(language);
    return known.success ? { ...settings, language: known.data } : settings;
  };
  const write = (settings: Settings, caller: Caller): Settings => {
    const before = readSettings(context);
    const changes: Record<string, JsonValue> = {};
    for (const key of Object.keys(settings) as (keyof Settings)[])
      if (JSON.stringify(before[key]) !== JSON.stringify(settings[key]))
        changes[key] = { before: before[key], after: settings[key] } as unknown as JsonValue;
    if (Object.keys(changes).length > 0)
      store.transaction(() => {
        store.settings.set('settings', settings);
        record(context, caller, 'settings.changed', 'settings', changes);
      });
    context.emit({ type: 'settings', settings });
    return settings;
  };
  return {
    'settings.get': (_, caller) => seenBy(readSettings(context), caller),
    'settings.set': (settings, caller) => {
      if (caller.userId !== null) store.users.setLanguage(caller.userId, settings.language);
      return write(settings, caller);
    },
    'settings.setAppearance': ({ language, theme, sound }, caller) => {
      const settings = readSettings(context);
      // With accounts a language is a person's, not the station's.
      if (caller.userId === null) return write({ ...settings, language, theme, sound }, caller);
      store.users.setLanguage(caller.userId, language);
      return { ...write({ ...settings, theme, sound }, caller), language };
    },

    'audit.page': ({ before, limit, action }) => {
      const events = store.events.page(before, limit + 1, action);
      return {
        events: events.slice(0, limit).map(({ details, seq, at, actor, role, action: what, subject, hash }) => ({
          seq,
          at,
          actor: cut(actor, 200),
          role,
          action: what,
          subject: cut(subject, 4096),
          details: cut(JSON.stringify(details), 4000),
          hash,
        })),
        more: events.length > limit,
      };
    },
    'audit.verify': async () => {
      const signed = await signatures?.current();
      const lines: string[] = [];
      for (const event of store.events.iterate()) lines.push(`${eventLine(event)}\n`);
      const result = verifyAuditLog({ log: Buffer.from(lines.join('')), ...signed });
      return { events: result.events, problems: result.findings.map(({ text }) => text) };
    },
  };
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
