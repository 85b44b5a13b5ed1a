import { z } from 'zod';
import * as d from '../station/domain.ts';
import { command, query } from './channel.ts';
import { done } from './projects.ts';

const nothing = z.object({});
const secret = z.string().min(4).max(200);

export const languages = ['en', 'de', 'ko', 'zh-CN'] as const;

export const settings = z.object({
  stationName: d.name,
  language: z.enum(languages),
  theme: z.enum(['system', 'light', 'dark', 'contrast']),
  engine: z.enum(['auto', 'cpu', 'cuda', 'dml', 'webgpu', 'coreml']),
  sound: z.boolean(),
  /** Shift names with their start, `HH:MM` local time. */
  shifts: z.array(z.object({ name: d.name, start: z.string().regex(/^\d\d:\d\d$/) })).max(6),
  /** Minutes without a touch until the screen locks; 0: never. Only with accounts. */
  lockAfterMin: z.int().min(0).max(480),
  storage: z.object({
    limitGb: z.number().min(1).max(100_000),
    keepFailsDays: z.int().min(1).max(36_500),
    keepPassesDays: z.int().min(0).max(36_500),
    /** One of this many passed parts keeps its picture. */
    keepEveryNthPass: z.int().min(1).max(10_000),
  }),
});
export type Settings = z.infer<typeof settings>;

export const session = z.object({
  /** Null: locked, nobody is signed in. */
  user: d.user.nullable(),
  /** Whether there are accounts at all; without, a single user may do everything. */
  accounts: z.boolean(),
});
export type Session = z.infer<typeof session>;

/** Settings, people, storage, audit, the system. */
export const settingsChannels = {
  'session.current': query('operator', nothing, session),
  'session.signIn': command('operator', z.object({ userId: d.id, secret: z.string().max(200) }), session),
  'session.signOut': command('operator', nothing, session),
  /** Names for the lock screen. */
  'session.people': query('operator', nothing, z.array(d.user.pick({ id: true, name: true, role: true }))),

  'users.list': query('administrator', nothing, z.array(d.user)),
  /** The first account made must be an administrator. */
  'users.create': command('administrator', z.object({ name: d.name, role: d.role, secret }), d.user),
  'users.update': command(
    'administrator',
    z.object({ userId: d.id, name: d.name, role: d.role, disabled: z.boolean(), secret: secret.nullable() }),
    d.user,
  ),

  'settings.get': query('operator', nothing, settings),
  /** Language and theme are everybody's; the rest an administrator's. */
  'settings.set': command('administrator', settings, settings),
  'settings.setAppearance': command('operator', settings.pick({ language: true, theme: true, sound: true }), settings),

  'storage.state': query(
    'operator',
    nothing,
    z.object({
      folder: z.string(),
      usedBytes: z.number(),
      freeBytes: z.number(),
      pictures: z.int(),
      parts: z.int(),
      /** Until the limit or the disk is full, at the pace of the last days; null: not known yet. */
      daysLeft: z.number().nullable(),
      lastBackupAt: d.isoTime.nullable(),
    }),
  ),
  'storage.clean': command('administrator', nothing, z.object({ removedPictures: z.int(), freedBytes: z.number() })),
  'storage.backup': command('administrator', z.object({ path: d.filePath }), z.object({ bytes: z.number() })),

  'audit.page': query(
    'quality',
    z.object({ before: z.int().nullable(), limit: z.int().min(1).max(500), action: d.shortText.nullable() }),
    z.object({ events: z.array(d.event), more: z.boolean() }),
  ),
  'audit.verify': query('quality', nothing, z.object({ events: z.int(), problems: z.array(z.string()) })),

  'system.status': query(
    'operator',
    nothing,
    z.object({
      version: d.shortText,
      platform: d.shortText,
      electron: d.shortText.nullable(),
      engines: z.array(z.object({ name: d.shortText, available: z.boolean(), reason: z.string().nullable() })),
      inference: z.object({ state: d.shortText, restarts: z.int(), engine: d.shortText, threads: z.int() }),
      training: z.object({ state: d.shortText, restarts: z.int() }),
      memoryMb: z.number(),
      cores: z.int(),
      /** What a person should know, e.g. that the database was restored from a backup. */
      notices: z.array(z.object({ id: d.shortText, message: z.string(), level: z.enum(['info', 'warning', 'fault']) })),
    }),
  ),
  'system.diagnostics': command(
    'engineer',
    z.object({ path: d.filePath, withPictures: z.boolean() }),
    z.object({ path: z.string(), bytes: z.int() }),
  ),
  /** A screen needs the camera from now on, or no longer; without this the permission is denied. */
  'system.useCamera': command('operator', z.object({ wanted: z.boolean() }), done),
  /** Opens the system's own dialog; null when the person closed it. */
  'dialog.chooseFolder': command(
    'operator',
    z.object({ title: d.shortText }),
    z.object({ path: z.string().nullable() }),
  ),
  'dialog.chooseFiles': command(
    'operator',
    z.object({ title: d.shortText, kind: z.enum(['pictures', 'model', 'project']) }),
    z.object({ paths: z.array(z.string()) }),
  ),
  'dialog.chooseSave': command(
    'operator',
    z.object({ title: d.shortText, suggested: d.shortText }),
    z.object({ path: z.string().nullable() }),
  ),
  /** Shows a file the station wrote in the system's file manager. */
  'dialog.show': command('operator', z.object({ path: d.filePath }), done),
};
