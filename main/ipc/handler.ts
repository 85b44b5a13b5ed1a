import type { ChannelInput, ChannelName, ChannelOutput } from '../../shared/ipc/contract.ts';
import type { Role } from '../../shared/station/domain.ts';

/** Who asks. Without accounts it's the one user, who may do everything. */
export interface Caller {
  userId: string | null;
  name: string;
  role: Role;
}

/** Answers a channel. Input has been parsed and the caller's role checked; a UserError reaches the person as it is. */
export type Handler<N extends ChannelName> = (
  input: ChannelInput<N>,
  caller: Caller,
) => ChannelOutput<N> | Promise<ChannelOutput<N>>;

export type Handlers<N extends ChannelName = ChannelName> = { readonly [K in N]: Handler<K> };

/** All channels of some areas, e.g. `HandlersOf<'labels' | 'pictures'>`. */
export type HandlersOf<Area extends string> = Handlers<Extract<ChannelName, `${Area}.${string}`>>;
