import { setTimeout as delay } from 'node:timers/promises';
import type { RaftNode } from 'kontiki';
import { MembershipRefused } from 'kontiki';
import type { Logger } from 'pino';
import type { KvSeed } from './member-list.ts';
import type { Command, Query, Result } from './store.ts';

export type KvNode = RaftNode<Command, Result, Query, string | null>;

/**
 * Where the members' HTTP faces are. The cluster's own word counts: each member's metadata, replicated with
 * the membership, so that redirects also reach members that no flag of this process names. The flags are for
 * the time before: the members of a new cluster have no metadata until their first leader publishes it.
 */
export class HttpAddresses {
  readonly #node: Pick<KvNode, 'status'>;
  readonly #flags: ReadonlyMap<string, string>;

  constructor(node: Pick<KvNode, 'status'>, known: readonly KvSeed[]) {
    this.#node = node;
    this.#flags = new Map(known.flatMap(({ id, http }) => (http === null ? [] : [[id, http]])));
  }

  /** null when nobody has told it. */
  of(id: string): string | null {
    const { voters, outgoing, learners } = this.#node.status().configuration;
    const member = [...voters, ...outgoing, ...learners].find((one) => one.id === id);
    return member?.metadata?.http ?? this.#flags.get(id) ?? null;
  }

  /** Members whose HTTP address stands in the flags only. */
  unpublished(): { readonly id: string; readonly metadata: { readonly http: string } }[] {
    const { voters, learners } = this.#node.status().configuration;
    return [...voters, ...learners].flatMap(({ id, metadata }) => {
      const http = this.#flags.get(id);
      return metadata?.http !== undefined || http === undefined
        ? []
        : [{ id, metadata: { ...metadata, http } }];
    });
  }
}

const RETRY_MS = 200;

/** Whenever this replica leads, it puts what its flags say about the first members into their metadata. */
export function publishHttpAddresses(node: KvNode, addresses: HttpAddresses, logger: Logger): void {
  let publishing = false;
  const publish = async (): Promise<void> => {
    if (publishing) return;
    publishing = true;
    try {
      for (;;) {
        const update = addresses.unpublished();
        if (update.length === 0 || node.status().role !== 'leader') return;
        try {
          await node.changeMembership({ update });
        } catch (error) {
          // A leader is refused until an entry of its term is committed, and while another change is under way.
          if (!(error instanceof MembershipRefused)) throw error;
          await delay(RETRY_MS, undefined, { ref: false });
        }
      }
    } catch (error) {
      // Who leads next tries again.
      logger.warn({ err: error }, 'the HTTP addresses of the first members are not published yet');
    } finally {
      publishing = false;
    }
  };
  node.on('role-changed', () => void publish());
}
