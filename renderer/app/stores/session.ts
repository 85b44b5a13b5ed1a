import { defineStore } from 'pinia';
import { computed, ref } from 'vue';
import type { Session } from '../../../shared/ipc/settings.ts';
import type { Role } from '../../../shared/station/domain.ts';
import { call } from '../station-client.ts';

/** Each role may do what those below it may. */
const rank: Record<Role, number> = { operator: 0, engineer: 1, quality: 2, administrator: 3 };

/** Who is at the screen. Without accounts a single user may do everything. */
export const useSession = defineStore('session', () => {
  const session = ref<Session | null>(null);
  const user = computed(() => session.value?.user ?? null);
  const locked = computed(() => session.value !== null && session.value.user === null);

  function take(now: Session): void {
    session.value = now;
  }

  async function load(): Promise<void> {
    take(await call('session.current', {}));
  }

  /** @throws StationCallError when the secret is wrong */
  async function signIn(userId: string, secret: string): Promise<void> {
    take(await call('session.signIn', { userId, secret }));
  }

  async function signOut(): Promise<void> {
    take(await call('session.signOut', {}));
  }

  /** Whether the one at the screen may do what needs `role`. Main checks again: this only greys out. */
  function may(role: Role): boolean {
    return user.value !== null && rank[user.value.role] >= rank[role];
  }

  return { session, user, locked, take, load, signIn, signOut, may };
});
