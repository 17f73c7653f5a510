import type { Compressor, Work } from '../../doors/work.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { CompressBody } from './block.ts';
import type { CodecName } from './block-header.ts';

/** Smaller bodies are stored as they are: decisions/0011 has the measurements. */
const COMPRESS_FROM_BYTES = 1024;
/** How many times the bytes that did not shrink are stored without trying: 4, 16, then 64 times. */
const SKIP_FACTOR_MAX = 64;
const SKIP_FACTOR_STEP = 4;

/** What became of the tries of one group, whose commands are mostly of a kind. */
interface Luck {
  /** Bytes to be stored as they are before the next try. */
  skipBytes: number;
  /** Of the last try; 1 after one that paid. */
  skipFactor: number;
}

/**
 * Which bodies of a shard are compressed. What does not shrink by an eighth is stored as it is, and so is
 * what follows it in its group, for ever longer: of a log that does not compress every 64th byte is tried.
 */
export class Compression {
  readonly #codec: CodecName;
  readonly #compressor: Compressor | null;
  readonly #luck = new Map<GroupId, Luck>();

  /** @throws Error when the door does not have the codec. */
  constructor(codec: CodecName, work: Work) {
    this.#codec = codec;
    this.#compressor = codec === 'none' ? null : work[codec];
    if (codec !== 'none' && this.#compressor === null) throw new Error(`no ${codec} here`);
  }

  /** null when nothing is ever compressed. */
  of(group: GroupId): CompressBody | null {
    const compressor = this.#compressor;
    return compressor === null ? null : (raw) => this.#compress(group, compressor, raw);
  }

  async #compress(group: GroupId, compressor: Compressor, raw: Buffer): ReturnType<CompressBody> {
    if (raw.length < COMPRESS_FROM_BYTES) return null;
    const luck = this.#luckOf(group);
    if (luck.skipBytes > 0) {
      luck.skipBytes -= raw.length;
      return null;
    }
    const body = await compressor.compress(raw);
    if (body.length * 8 <= raw.length * 7) {
      luck.skipFactor = 1;
      return { codec: this.#codec, body };
    }
    luck.skipFactor = Math.min(SKIP_FACTOR_MAX, luck.skipFactor * SKIP_FACTOR_STEP);
    luck.skipBytes = luck.skipFactor * raw.length;
    return null;
  }

  #luckOf(group: GroupId): Luck {
    let luck = this.#luck.get(group);
    if (luck === undefined) {
      luck = { skipBytes: 0, skipFactor: 1 };
      this.#luck.set(group, luck);
    }
    return luck;
  }
}
