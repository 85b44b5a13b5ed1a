/** What JSON can hold, and nothing else: an event must read the same on every machine, for good. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What the station and its log record. Others' logs may hold more: lower-case words with a dot between them. */
export const auditActions = [
  'session.login',
  'session.loginRefused',
  'session.logout',
  'user.created',
  'user.changed',
  'settings.changed',
  'project.created',
  'project.changed',
  'project.imported',
  'project.removed',
  'class.created',
  'class.renamed',
  'class.removed',
  'pictures.imported',
  'pictures.captured',
  'pictures.useChanged',
  'label.set',
  'label.undone',
  'training.started',
  'training.finished',
  'model.imported',
  'model.activated',
  'model.rolledBack',
  'model.gateRefused',
  'model.gateOverridden',
  'model.removed',
  'model.shadowStarted',
  'model.shadowEnded',
  'threshold.changed',
  'verdict.confirmed',
  'verdict.overridden',
  'verdict.undone',
  'recipe.created',
  'recipe.changed',
  'recipe.removed',
  'feed.fault',
  'feed.recovered',
  'data.exported',
  'data.deleted',
  'signature.refused',
  'drift.alarm',
  'drift.acknowledged',
  'drift.restarted',
  'study.started',
  'study.finished',
  'study.cancelled',
  'audit.recovered',
  'store.restored',
] as const;
export type AuditAction = (typeof auditActions)[number];

/** What the caller knows of an event. */
export interface AuditEntry {
  /** ISO 8601 with milliseconds, UTC; absent: now. */
  at?: string;
  /** Who did it: a user name, or `system`. */
  actor: string;
  /** Role in which it was done, e.g. `operator`. */
  role: string;
  /** What was done, see {@link auditActions}. */
  action: string;
  /** What it was done to: a model's hash, a class, a record's id, a file's name. */
  subject: string;
  /** Everything else, e.g. `{ before, after, reason }`. */
  details?: JsonValue;
}

/** One link of the chain, as stored. */
export interface AuditEvent {
  /** 1 for the first event, then one more each. */
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly role: string;
  readonly action: string;
  readonly subject: string;
  readonly details: JsonValue;
  /** `hash` of the event before; {@link firstPrevHash} for the first. */
  readonly prevHash: string;
  /** sha256 (64 hex digits) of {@link hashedText}. */
  readonly hash: string;
}

/** What stands in for the hash before the first event. */
export const firstPrevHash = '0'.repeat(64);

/**
 * The one text form of a JSON value, as RFC 8785 (JSON Canonicalization Scheme) has it: no spaces, keys sorted by their
 * UTF-16 code units, numbers as ECMAScript prints them, strings with the shortest escapes.
 * @throws TypeError on anything that JSON has no form for: NaN, undefined, dates, lone surrogates
 */
export function canonicalJson(value: JsonValue): string {
  switch (typeof value) {
    case 'string':
      if (/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(value)) {
        throw new TypeError('a text holds half a character (a lone surrogate)');
      }
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${String(value)} has no form in JSON`);
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      break;
    default:
      throw new TypeError(`a ${typeof value} has no form in JSON`);
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) {
    // Array.from, because map would leave out holes.
    return `[${Array.from(value as readonly JsonValue[], (item) => canonicalJson(item)).join(',')}]`;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError('only plain objects have a form in JSON');
  const entries = Object.entries(value as { readonly [key: string]: JsonValue });
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, item]) => `${canonicalJson(key)}:${canonicalJson(item)}`).join(',')}}`;
}

/** The text whose sha256 (of its UTF-8 bytes) is the event's hash: everything but the hash itself. */
export function hashedText(event: Omit<AuditEvent, 'hash'>): string {
  const { seq, at, actor, role, action, subject, details, prevHash } = event;
  return canonicalJson({ seq, at, actor, role, action, subject, details, prevHash });
}

/** An event's line in a log file, without the line feed. */
export function eventLine(event: AuditEvent): string {
  const { seq, at, actor, role, action, subject, details, prevHash, hash } = event;
  return canonicalJson({ seq, at, actor, role, action, subject, details, prevHash, hash });
}
