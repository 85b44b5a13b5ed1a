import { describe, expect, it } from 'vitest';
import { Dispatcher, ownOrigin, type Sender } from '../../main/ipc/dispatch.ts';
import type { Caller, Handlers } from '../../main/ipc/handler.ts';
import { UserError } from '../../shared/errors.ts';
import { channelNames } from '../../shared/ipc/channel-names.ts';
import type { Result } from '../../shared/ipc/channel.ts';
import { contract, largestCallBytes, type ChannelName } from '../../shared/ipc/contract.ts';
import { roles, type Role } from '../../shared/station/domain.ts';

const own: Sender = { origin: ownOrigin, ownWindow: true };
const person = (role: Role): Caller => ({ userId: 'u1', name: 'Kim', role });

/** A dispatcher whose every handler does the same, and what it was called with. */
function dispatcher(caller: Caller | null, answer: (input: unknown) => unknown = () => ({})) {
  const heard: unknown[] = [];
  const defects: unknown[] = [];
  const handler = (input: unknown): unknown => {
    heard.push(input);
    return answer(input);
  };
  const handlers = Object.fromEntries(channelNames.map((name) => [name, handler])) as unknown as Handlers;
  const made = new Dispatcher({ handlers, caller: () => caller, onDefect: (_, error) => defects.push(error) });
  return { made, heard, defects };
}

const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);

describe('the way into the station', () => {
  it('the names that the preload exposes are the contract, no more and no less', () => {
    expect([...channelNames].sort()).toEqual(Object.keys(contract).sort());
  });

  describe.each(channelNames)('%s', (name) => {
    it('refuses malformed input before any handler hears of it', async () => {
      const { made, heard } = dispatcher(person('administrator'));
      for (const raw of [42, null, 'text', [], undefined]) {
        expect(codeOf(await made.call(name, raw, own))).toBe('callMalformed');
      }
      expect(heard).toEqual([]);
    });

    it('refuses other senders: another origin, a frame inside, a window that is not ours', async () => {
      const { made, heard } = dispatcher(person('administrator'));
      const strangers: Sender[] = [
        { origin: 'https://example.org', ownWindow: true },
        { origin: ownOrigin, ownWindow: false },
        { origin: 'station://app.example', ownWindow: true },
        { origin: 'file://', ownWindow: false },
      ];
      for (const sender of strangers) expect(codeOf(await made.call(name, {}, sender))).toBe('senderRefused');
      expect(heard).toEqual([]);
    });

    it('refuses calls larger than a call may be', async () => {
      const { made, heard } = dispatcher(person('administrator'));
      const large = { bytes: new Uint8Array(largestCallBytes + 1) };
      expect(codeOf(await made.call(name, large, own))).toBe('callTooLarge');
      expect(heard).toEqual([]);
    });

    it('refuses every role below its own', async () => {
      for (const role of roles.slice(0, roles.indexOf(contract[name].role))) {
        const { made, heard } = dispatcher(person(role));
        expect(codeOf(await made.call(name, {}, own))).toBe('roleTooLow');
        expect(heard).toEqual([]);
      }
    });
  });

  it('answers only what the lock screen needs while nobody is signed in', async () => {
    const { made } = dispatcher(null);
    const refused: ChannelName[] = [];
    for (const name of channelNames) {
      if (codeOf(await made.call(name, {}, own)) === 'signInNeeded') refused.push(name);
    }
    const open = channelNames.filter((name) => !refused.includes(name));
    expect(open.sort()).toEqual(['session.current', 'session.people', 'session.signIn', 'settings.get']);
  });

  it('hands the parsed input on: unknown keys are dropped', async () => {
    const { made, heard } = dispatcher(person('operator'), () => []);
    const result = await made.call('classes.list', { projectId: 'p1', extra: true }, own);
    expect(result).toEqual({ ok: true, value: [] });
    expect(heard).toEqual([{ projectId: 'p1' }]);
  });

  it('gives errors for people as they are, and tells defects of the program apart', async () => {
    const told = dispatcher(person('operator'), () => {
      throw new UserError('partUnknown', 'There is no part 7.', 'Choose another.');
    });
    expect(await told.made.call('projects.list', {}, own)).toEqual({
      ok: false,
      error: { code: 'partUnknown', message: 'There is no part 7. Choose another.', remedy: 'Choose another.' },
    });
    expect(told.defects).toEqual([]);

    const broken = dispatcher(person('operator'), () => {
      throw new TypeError('x is not a function');
    });
    expect(codeOf(await broken.made.call('projects.list', {}, own))).toBe('internal');
    expect(broken.defects).toHaveLength(1);
  });

  it('never lets a malformed answer reach the window', async () => {
    const { made, defects } = dispatcher(person('operator'), () => [{ id: 'p1' }]);
    expect(codeOf(await made.call('projects.list', {}, own))).toBe('internal');
    expect(defects).toHaveLength(1);
  });

  it('knows no other channel, inherited names included', async () => {
    const { made } = dispatcher(person('administrator'));
    for (const name of ['toString', '__proto__', 'constructor', 'fs.readFile', '']) {
      expect(codeOf(await made.call(name, {}, own))).toBe('channelUnknown');
    }
  });
});
