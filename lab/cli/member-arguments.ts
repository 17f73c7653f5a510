import type { NewMember } from '../../src/storage/index.ts';
import { parseAddress } from '../../src/transport/address.ts';

/** Reads `id=host:port`, once for each member. */
export function readMembers(
  written: readonly string[],
): { readonly members: readonly NewMember[] } | { readonly mistakes: readonly string[] } {
  const members: NewMember[] = [];
  const mistakes: string[] = [];
  for (const text of written) {
    const [, id, address] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    const parsed = address === undefined ? '' : parseAddress(address);
    if (id === undefined || address === undefined) {
      mistakes.push(`--member: found ${JSON.stringify(text)}, expected <id>=<host:port>`);
    } else if (typeof parsed === 'string') mistakes.push(`--member ${id}: ${parsed}`);
    else if (parsed.port === 0) mistakes.push(`--member ${id}: others cannot reach port 0`);
    else members.push({ id, address });
  }
  return mistakes.length > 0 ? { mistakes } : { members };
}
