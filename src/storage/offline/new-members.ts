import { RecoveryRefused } from '../errors.ts';

/** A member of the cluster to be. */
export interface NewMember {
  /** 1 to 64 characters of `A-Z a-z 0-9 . _ -`. */
  readonly id: string;
  /** Where its transport will listen, in the transport's own notation (`host:port` for TCP). */
  readonly address: string;
}

const ID = /^[A-Za-z0-9._-]{1,64}$/;

/** @throws RecoveryRefused (`wrong-options`) with every mistake. */
export function refuseBadMembers(members: readonly NewMember[]): void {
  const mistakes: string[] = [];
  if (members.length === 0) mistakes.push('- members: expected at least one');
  for (const [position, { id, address }] of members.entries()) {
    const at = `members[${position}]`;
    const before = members.slice(0, position);
    if (!ID.test(id) || /^\.+$/.test(id)) {
      mistakes.push(`- ${at}.id: ${JSON.stringify(id)} is no id; expected 1 to 64 of A-Z a-z 0-9 . _ -`);
    } else if (before.some((one) => one.id === id)) mistakes.push(`- ${at}.id: ${id} is listed twice`);
    if (typeof address !== 'string' || address === '') {
      mistakes.push(`- ${at}.address: expected where its transport will listen`);
    } else if (before.some((one) => one.address === address)) {
      mistakes.push(`- ${at}.address: ${address} is listed twice`);
    }
  }
  if (mistakes.length === 0) return;
  throw new RecoveryRefused('wrong-options', `invalid members:\n${mistakes.join('\n')}`);
}
