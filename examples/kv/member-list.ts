import { InvalidArgumentError } from 'commander';

export interface KvMember {
  readonly id: string;
  /** Where its Raft transport listens, `host:port`. */
  readonly raft: string;
  /** Where its HTTP face listens, `host:port`. */
  readonly http: string;
}

/** Parses `n1=127.0.0.1:9001/127.0.0.1:8001,n2=...`: id, Raft address, HTTP address. */
export function parseMembers(text: string): KvMember[] {
  return text.split(',').map((part) => {
    const match = /^([^=]+)=([^/]+:\d+)\/([^/]+:\d+)$/.exec(part.trim());
    const [, id, raft, http] = match ?? [];
    if (id === undefined || raft === undefined || http === undefined) {
      throw new InvalidArgumentError(
        `expected id=raftHost:port/httpHost:port, found ${JSON.stringify(part)}`,
      );
    }
    return { id, raft, http };
  });
}

export function formatMembers(members: readonly KvMember[]): string {
  return members.map(({ id, raft, http }) => `${id}=${raft}/${http}`).join(',');
}
