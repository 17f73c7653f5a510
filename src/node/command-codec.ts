import { Packr } from 'msgpackr';
import type { CommandCodec } from './state-machine.ts';

/**
 * Packs any value msgpackr can. Records are off: a packed command is whole in itself, whichever were
 * packed before it, since it is read by other processes and years later.
 */
export function msgpackCodec<Command>(): CommandCodec<Command> {
  const packr = new Packr({ useRecords: false });
  return {
    // A copy of the packer's shared buffer would be handed out otherwise, and entries live long.
    encode: (command) => Uint8Array.prototype.slice.call(packr.pack(command)),
    decode: (bytes) => packr.unpack(bytes) as Command,
  };
}
