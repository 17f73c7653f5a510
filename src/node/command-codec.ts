import { Packr } from 'msgpackr';
import type { CommandCodec } from './state-machine.ts';

/**
 * Packs any value msgpackr can. Records are off: a packed command is whole in itself, whichever were
 * packed before it, since it is read by other processes and years later. More types are on: without them typed
 * arrays are packed with whatever was in the packer's buffer before, other bytes on every replica. Buffers are
 * copied: else what was unpacked shows the bytes themselves, which stay in the log or for a session's retries, and
 * whoever changes what they were given would change those too.
 */
export function msgpackCodec<Command>(): CommandCodec<Command> {
  const packr = new Packr({ useRecords: false, moreTypes: true, copyBuffers: true });
  return {
    // A copy of the packer's shared buffer would be handed out otherwise, and entries live long.
    encode: (command) => Uint8Array.prototype.slice.call(packr.pack(command)),
    decode: (bytes) => packr.unpack(bytes) as Command,
  };
}
