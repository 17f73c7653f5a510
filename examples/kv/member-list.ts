import { InvalidArgumentError } from 'commander';

export interface KvMember {
  readonly id: string;
  /** Where its Raft transport listens, `host:port`. */
  readonly raft: string;
  /** Where its HTTP face listens, `host:port`. */
  readonly http: string;
}

/** A member that a joining replica asks first; its HTTP address is learnt from the cluster anyway. */
export type KvSeed = Omit<KvMember, 'http'> & { readonly http: string | null };

/** Parses `n1=127.0.0.1:9001/127.0.0.1:8001,n2=...`: id, Raft address, HTTP address. */
export function parseMembers(text: string): KvMember[] {
  return text.split(',').map((part) => {
    const { id, raft, http } = parseOne(part, 'id=raftHost:port/httpHost:port');
    if (http === null) throw new InvalidArgumentError(`${JSON.stringify(part)} lacks /httpHost:port`);
    return { id, raft, http };
  });
}

/** Parses `n1=127.0.0.1:9001,n2=...`: id, Raft address, and the HTTP address where it is written too. */
export function parseSeeds(text: string): KvSeed[] {
  return text.split(',').map((part) => parseOne(part, 'id=raftHost:port[/httpHost:port]'));
}

export function parseAddress(text: string): string {
  if (!/^[^/]+:\d+$/.test(text)) {
    throw new InvalidArgumentError(`expected host:port, found ${JSON.stringify(text)}`);
  }
  return text;
}

export function formatMembers(members: readonly KvMember[]): string {
  return members.map(({ id, raft, http }) => `${id}=${raft}/${http}`).join(',');
}

function parseOne(part: string, expected: string): KvSeed {
  const match = /^([^=]+)=([^/]+:\d+)(?:\/([^/]+:\d+))?$/.exec(part.trim());
  const [, id, raft, http = null] = match ?? [];
  if (id === undefined || raft === undefined) {
    throw new InvalidArgumentError(`expected ${expected}, found ${JSON.stringify(part)}`);
  }
  return { id, raft, http };
}
