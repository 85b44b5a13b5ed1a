import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../store/helpers.ts';
import { hashSecret, isSecret } from '../../main/station/secrets.ts';
import { shiftAt } from '../../main/station/settings.ts';
import { ann, testStation } from './station-context.ts';

describe('secrets', () => {
  it('are told from others, and never stored', async () => {
    const hashed = await hashSecret('Grüße 1234');
    expect(hashed).not.toContain('1234');
    expect(await isSecret('Grüße 1234', hashed)).toBe(true);
    expect(await isSecret('Gru\u0308ße 1234', hashed)).toBe(true);
    expect(await isSecret('Grüße 1235', hashed)).toBe(false);
    expect(await isSecret('', hashed)).toBe(false);
    expect(await isSecret('x', null)).toBe(false);
    expect(await isSecret('x', 'plain')).toBe(false);
    expect(await hashSecret('Grüße 1234')).not.toBe(hashed);
  });
});

describe('people', () => {
  it('without accounts there is one who may do everything', async () => {
    const station = await testStation();
    expect(await station.ask('session.current', {})).toMatchObject({ accounts: false });
    expect(station.session.caller()).toMatchObject({ userId: null, role: 'administrator' });
    expect(await station.session.isSecretOf(station.session.caller()!, null)).toBe(true);
  });

  it('sign in and out; the first must be an administrator, and one always is', async () => {
    const station = await testStation();
    const make = (name: string, role: 'operator' | 'administrator') =>
      station.ask('users.create', { name, role, secret: `${name} secret` });
    await expect(make('Ola', 'operator')).rejects.toThrow(/must be an administrator/);
    const ada = await make('Ada', 'administrator');
    // Who makes the first account is that account from then on.
    expect(await station.ask('session.current', {})).toMatchObject({ user: { name: 'Ada' }, accounts: true });
    const ola = await make('Ola', 'operator');
    await expect(make('ada', 'operator')).rejects.toThrow(/already/);
    expect(await station.ask('session.signOut', {})).toEqual({ user: null, accounts: true });
    expect(station.session.caller()).toBeNull();
    expect((await station.ask('session.people', {})).map(({ name }) => name)).toEqual(['Ada', 'Ola']);
    await expect(station.ask('session.signIn', { userId: ola.id, secret: 'Ada secret' })).rejects.toThrow(
      /do not match/,
    );
    await expect(station.ask('session.signIn', { userId: 'nobody', secret: 'x' })).rejects.toThrow(/do not match/);
    expect((await station.ask('session.signIn', { userId: ola.id, secret: 'Ola secret' })).user).toMatchObject({
      role: 'operator',
    });
    expect(station.session.caller()).toEqual({ userId: ola.id, name: 'Ola', role: 'operator' });
    const change = { userId: ada.id, name: 'Ada', disabled: false, secret: null };
    await expect(station.ask('users.update', { ...change, role: 'operator' })).rejects.toThrow(/only administrator/);
    await expect(station.ask('users.update', { ...change, role: 'administrator', disabled: true })).rejects.toThrow(
      /only administrator/,
    );
    // Who is disabled while signed in is out at once.
    await station.ask('users.update', { userId: ola.id, name: 'Ola', role: 'operator', disabled: true, secret: null });
    expect(station.session.caller()).toBeNull();
    await expect(station.ask('session.signIn', { userId: ola.id, secret: 'Ola secret' })).rejects.toThrow(
      /do not match/,
    );
    const shown = JSON.stringify(await station.ask('users.list', {}));
    expect(shown).not.toContain('scrypt');
    const actions = (await station.ask('audit.page', { before: null, limit: 50, action: null })).events.map(
      ({ action }) => action,
    );
    expect(actions.filter((action) => action === 'session.loginRefused')).toHaveLength(2);
    expect(actions).toEqual(
      expect.arrayContaining(['user.created', 'user.changed', 'session.login', 'session.logout']),
    );
  });

  it('wait longer after each wrong secret, also after a restart', async () => {
    const folder = temporaryFolder();
    const before = await testStation(folder);
    const { id: userId } = await before.ask('users.create', { name: 'Ada', role: 'administrator', secret: '4711' });
    const wrong = () => before.ask('session.signIn', { userId, secret: '0000' });
    await expect(wrong()).rejects.toMatchObject({ code: 'signInRefused' });
    await expect(wrong()).rejects.toMatchObject({ code: 'signInRefused' });
    // Many at once buy nothing: one is tried, the others wait.
    const burst = await Promise.allSettled([wrong(), wrong(), wrong(), wrong()]);
    const codes = burst.map((result) =>
      result.status === 'rejected' ? (result.reason as { code: string }).code : 'in',
    );
    expect(codes).toEqual(['signInRefused', 'signInWait', 'signInWait', 'signInWait']);
    await expect(before.ask('session.signIn', { userId, secret: '4711' })).rejects.toMatchObject({
      code: 'signInWait',
    });
    before.store.close();

    const station = await testStation(folder);
    const right = () => station.ask('session.signIn', { userId, secret: '4711' });
    await expect(right()).rejects.toMatchObject({ code: 'signInWait' });
    station.wait(2001);
    expect((await right()).user?.name).toBe('Ada');
    expect(station.store.users.get(userId)).toMatchObject({ failures: 0, blockedUntil: 0 });
    for (let i = 0; i < 12; i++) {
      station.wait(20 * 60_000);
      await expect(station.ask('session.signIn', { userId, secret: '0000' })).rejects.toMatchObject({
        code: 'signInRefused',
      });
    }
    const { blockedUntil } = station.store.users.get(userId);
    expect(blockedUntil - Date.parse(station.context.now())).toBe(15 * 60_000);

    // A clock that is set back by a year locks nobody out for a year.
    station.wait(-365 * 86_400_000);
    await expect(right()).rejects.toMatchObject({ code: 'signInWait' });
    station.wait(15 * 60_000 + 1);
    expect((await right()).user?.name).toBe('Ada');
  });
});

describe('settings', () => {
  it('are kept, and what changed is in the log', async () => {
    const station = await testStation();
    const settings = await station.ask('settings.get', {});
    expect(settings).toMatchObject({ language: 'en', theme: 'system' });
    await station.ask('settings.set', { ...settings, stationName: 'Linie 3 ✓', lockAfterMin: 5 });
    expect((await station.ask('settings.get', {})).stationName).toBe('Linie 3 ✓');
    const { events } = await station.ask('audit.page', { before: null, limit: 1, action: 'settings.changed' });
    expect(Object.keys(JSON.parse(events[0]!.details) as object).sort()).toEqual(['lockAfterMin', 'stationName']);
    expect(station.events.at(-1)).toMatchObject({ type: 'settings', settings: { stationName: 'Linie 3 ✓' } });
  });

  it('of another program fall back one by one', async () => {
    const station = await testStation();
    station.store.settings.set('settings', {
      stationName: 'Line 9',
      theme: 'plaid',
      storage: { limitGb: -1 },
      extra: 1,
    });
    expect(await station.ask('settings.get', {})).toMatchObject({
      stationName: 'Line 9',
      theme: 'system',
      storage: { limitGb: 100 },
    });
    station.store.settings.set('settings', 'what');
    expect(await station.ask('settings.get', {})).toMatchObject({ theme: 'system' });
  });

  it('of language are a person’s own where there are accounts', async () => {
    const station = await testStation();
    const { id: userId } = await station.ask('users.create', { name: 'Ada', role: 'administrator', secret: '4711' });
    const ada = { ...ann, userId };
    await station.ask('settings.setAppearance', { language: 'de', theme: 'dark', sound: true }, ada);
    expect(await station.ask('settings.get', {}, ada)).toMatchObject({ language: 'de', theme: 'dark' });
    expect(await station.ask('settings.get', {})).toMatchObject({ language: 'en', theme: 'dark' });
  });

  it('know the shift of a moment', () => {
    const shifts = [
      { name: 'Late', start: '14:00' },
      { name: 'Early', start: '06:00' },
      { name: 'Night', start: '22:00' },
    ];
    const at = (hours: number, minutes = 0): string => new Date(2026, 2, 2, hours, minutes).toISOString();
    expect([at(6), at(13, 59), at(14), at(23), at(0), at(5, 59)].map((time) => shiftAt({ shifts }, time))).toEqual([
      'Early',
      'Early',
      'Late',
      'Night',
      'Night',
      'Night',
    ]);
    expect(shiftAt({ shifts: [] }, at(3))).toBeNull();
  });
});

describe('the log', () => {
  it('can only grow, holds any text, and is verified', async () => {
    const station = await testStation();
    for (const name of ['A', 'B \u0000\uD800', '工'.repeat(60)])
      await station.ask('projects.create', { name, note: 'x'.repeat(4000) });
    const { events, more } = await station.ask('audit.page', { before: null, limit: 2, action: null });
    expect(events.map(({ seq }) => seq)).toEqual([3, 2]);
    expect(more).toBe(true);
    expect(
      (await station.ask('audit.page', { before: 2, limit: 2, action: null })).events.map(({ seq }) => seq),
    ).toEqual([1]);
    expect(await station.ask('audit.verify', {})).toEqual({ events: 3, problems: [] });
    const { database } = station.store;
    expect(() => database.exec("UPDATE events SET actor = 'Eve'")).toThrow(/never changed/);
    expect(() => database.exec('DELETE FROM events WHERE seq = 3')).toThrow(/never shortened/);
    expect(() => database.exec("INSERT INTO events VALUES (7, 'x', 'x', 'x', 'x', 'x', '{}', 'x', 'x')")).toThrow(
      /no gaps/,
    );
    // Somebody with the file and a tool can do more; the chain tells.
    database.exec("DROP TRIGGER events_kept; UPDATE events SET actor = 'Eve' WHERE seq = 2");
    expect((await station.ask('audit.verify', {})).problems.join()).toMatch(/2/);
  });

  it('stands or falls with the change it tells of', async () => {
    const station = await testStation();
    const { id: projectId } = await station.ask('projects.create', { name: 'A', note: '' });
    station.store.database.exec(
      "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END",
    );
    await expect(station.ask('projects.update', { projectId, name: 'B', note: '', pxPerMm: 2 })).rejects.toThrow(
      /no room/,
    );
    expect(station.store.projects.get(projectId).name).toBe('A');
  });
});
