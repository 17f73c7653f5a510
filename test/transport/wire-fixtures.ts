import { Packr } from 'msgpackr';
import type { Envelope, Message } from '../../src/raft/message.ts';
import { MalformedFrame } from '../../src/transport/errors.ts';

export const envelope = (message: Message, rest: Partial<Envelope> = {}): Envelope => ({
  clusterId: '00000000000000cc',
  group: 'default',
  from: { id: 'n1', incarnation: '00000000000000aa', boot: 3 },
  to: { id: 'n2', incarnation: '00000000000000bb' },
  message,
  ...rest,
});

export const query: Message = { kind: 'BootstrapQuery', members: [] };

/** Why the action refuses what it was given; `accepted` when it does not. */
export function reasonOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof MalformedFrame) return error.reason;
    throw error;
  }
  return 'accepted';
}

export const packr = new Packr({ useRecords: false });
const header = [2, 'g', null, 'n1', '00000000000000aa', 3, 'n2', null];
/** An envelope's header, with these as the values of its message. */
export const packed = (...fields: unknown[]): Uint8Array => packr.pack([...header, ...fields]);
export const withPayloads = (bytes: Uint8Array, ...payloads: number[]) =>
  Uint8Array.from([...bytes, ...payloads]);
