import { userInfo } from 'node:os';
import { UserError } from '../../shared/errors.ts';
import type { Session } from '../../shared/ipc/settings.ts';
import type { Role, User } from '../../shared/station/domain.ts';
import type { StoredUser } from '../store/types.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { hashSecret, isSecret } from './secrets.ts';

/** Wrong secrets that cost nothing but themselves. */
const freeFailures = 2;
const firstWaitMs = 2000;
const longestWaitMs = 15 * 60_000;

/**
 * Who is at the station. Without accounts it's the one user, who may do everything; with accounts somebody has to sign
 * in. Wrong secrets make the next try wait, longer each time, also after a restart.
 */
export class StationSession {
  readonly #context: StationContext;
  #userId: string | null = null;
  /** One attempt at a time: many at once would all be counted too late. */
  #attempts: Promise<unknown> = Promise.resolve();

  constructor(context: StationContext) {
    this.#context = context;
  }

  current(): Session {
    const users = this.#context.store.users.list();
    const user = users.find(({ id, disabled }) => id === this.#userId && !disabled);
    if (users.length === 0) return { user: singleUser(), accounts: false };
    return { user: user === undefined ? null : publicUser(user), accounts: true };
  }

  /** Null: locked; then only `session.*` and `settings.get` may be answered. */
  caller(): Caller | null {
    const { user, accounts } = this.current();
    return user === null ? null : { userId: accounts ? user.id : null, name: user.name, role: user.role };
  }

  /** @throws UserError `signInRefused`, `signInWait` */
  async signIn(userId: string, secret: string): Promise<Session> {
    const { context, user } = { context: this.#context, user: this.#find(userId) };
    if (!(await this.#check(user, secret))) {
      if (user !== undefined)
        record(context, { userId, name: user.name, role: user.role }, 'session.loginRefused', userId);
      throw new UserError('signInRefused', 'Name and secret do not match.', 'Try again, or ask an administrator.');
    }
    this.#userId = userId;
    record(context, { userId, name: user!.name, role: user!.role }, 'session.login', userId);
    return this.#changed();
  }

  signOut(): Session {
    const caller = this.caller();
    if (this.#userId !== null && caller !== null) record(this.#context, caller, 'session.logout', this.#userId);
    this.#userId = null;
    return this.#changed();
  }

  /** Signs somebody in who has just been proved to be there: the administrator who makes the first account. */
  take(userId: string): void {
    this.#userId = userId;
    this.#changed();
  }

  /**
   * Whether the secret is the caller's own: for changes that somebody must sign for. Without accounts there is none to
   * enter. Wrong ones count as at sign-in.
   * @throws UserError `signInWait`
   */
  async isSecretOf(caller: Pick<Caller, 'userId'>, secret: string | null): Promise<boolean> {
    if (caller.userId === null) return true;
    return this.#check(this.#find(caller.userId), secret ?? '');
  }

  #find(userId: string): StoredUser | undefined {
    return this.#context.store.users.list().find(({ id }) => id === userId);
  }

  #check(user: StoredUser | undefined, secret: string): Promise<boolean> {
    const attempt = this.#attempts.then(async () => {
      if (user === undefined) return isSecret(secret, null);
      const { users } = this.#context.store;
      const { failures, blockedUntil } = users.get(user.id);
      const now = Date.parse(this.#context.now());
      const waitMs = Math.min(blockedUntil - now, longestWaitMs);
      // The clock was set back: from now on it's the longest wait, not as long as until it is that late again.
      if (blockedUntil - now > longestWaitMs) users.setFailures(user.id, failures, now + longestWaitMs);
      if (waitMs > 0)
        throw new UserError(
          'signInWait',
          'There were too many wrong tries.',
          `Wait ${Math.ceil(waitMs / 1000)} seconds, or ask an administrator for a new secret.`,
        );
      // Counted before it's checked: a try that is cut short counts, too.
      const wrong = failures + 1;
      const wait = wrong <= freeFailures ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (wrong - freeFailures - 1));
      users.setFailures(user.id, wrong, now + wait);
      const right = (await isSecret(secret, user.secret)) && !user.disabled;
      if (right) users.setFailures(user.id, 0, 0);
      return right;
    });
    this.#attempts = attempt.catch(() => undefined);
    return attempt;
  }

  #changed(): Session {
    const session = this.current();
    this.#context.emit({ type: 'session', session });
    return session;
  }
}

/** Signing in and out, and the accounts. */
export function userHandlers(context: StationContext, session: StationSession): HandlersOf<'session' | 'users'> {
  const { users } = context.store;
  return {
    'session.current': () => session.current(),
    'session.signIn': ({ userId, secret }) => session.signIn(userId, secret),
    'session.signOut': () => session.signOut(),
    'session.people': () =>
      users
        .list()
        .filter(({ disabled }) => !disabled)
        .map(({ id, name, role }) => ({ id, name, role })),

    'users.list': () => users.list().map(publicUser),
    'users.create': async ({ name, role, secret }, caller) => {
      const hashed = await hashSecret(secret);
      const { created, first } = context.store.transaction(() => {
        const isFirst = users.list().length === 0;
        if (isFirst && role !== 'administrator')
          throw new UserError(
            'administratorNeeded',
            'The first account must be an administrator.',
            'Make that one first: otherwise nobody could make others.',
          );
        const user = users.create({ name, role, secret: hashed, createdAt: context.now() });
        record(context, caller, 'user.created', user.id, { name, role });
        return { created: user, first: isFirst };
      });
      if (first) session.take(created.id);
      return publicUser(created);
    },
    'users.update': async ({ userId, name, role, disabled, secret }, caller) => {
      const hashed = secret === null ? null : await hashSecret(secret);
      return context.store.transaction(() => {
        const before = users.get(userId);
        if (isLastAdministrator(users.list(), before, role, disabled))
          throw new UserError(
            'administratorNeeded',
            `${before.name} is the only administrator.`,
            'Make another account an administrator first.',
          );
        const after = users.update(userId, { name, role, disabled, secret: hashed });
        // A new secret is given by an administrator: the wrong tries before it no longer count.
        if (hashed !== null) users.setFailures(userId, 0, 0);
        record(context, caller, 'user.changed', userId, {
          before: { name: before.name, role: before.role, disabled: before.disabled },
          after: { name, role, disabled },
          newSecret: secret !== null,
        });
        return publicUser(after);
      });
    },
  };
}

function isLastAdministrator(users: readonly StoredUser[], user: StoredUser, role: Role, disabled: boolean): boolean {
  const isOne = (other: StoredUser): boolean => other.role === 'administrator' && !other.disabled;
  return isOne(user) && (role !== 'administrator' || disabled) && users.filter(isOne).length === 1;
}

function publicUser({ id, name, role, language, disabled }: StoredUser): User {
  return { id, name, role, language, disabled };
}

/** Without accounts: whoever the system says is at the machine, who may do everything. */
function singleUser(): User {
  return { id: 'single', name: systemUserName(), role: 'administrator', language: null, disabled: false };
}

/** Name of the one user where there are no accounts: as the system knows the person. */
function systemUserName(): string {
  try {
    return userInfo().username || 'user';
  } catch {
    return 'user';
  }
}
