import { type BlockHeader, type CodecName, headerLength } from '../disk/block-header.ts';
import type { Finding } from './finding.ts';
import type { JudgedGroup, StoppedDirectory } from './stopped-directory.ts';

/** The whole blocks of one group, those that are no part of the log any more included. */
export interface BlockAccount {
  readonly count: number;
  readonly entries: number;
  /** On disk, headers included. */
  readonly bytes: number;
  readonly codecs: readonly CodecAccount[];
}

export interface CodecAccount {
  readonly codec: CodecName;
  readonly blocks: number;
  /** Of the bodies as stored, and as they are without compression. */
  readonly storedBytes: number;
  readonly rawBytes: number;
}

export function accountOfBlocks({ group, shard }: JudgedGroup): BlockAccount {
  const headers = shard.found.wholeOf(group).map(({ header }) => header);
  const sum = (of: readonly BlockHeader[], value: (header: BlockHeader) => number): number =>
    of.reduce((total, header) => total + value(header), 0);
  const codecs = [...new Set(headers.map(({ codec }) => codec))].sort();
  return {
    count: headers.length,
    entries: sum(headers, ({ entryCount }) => entryCount),
    bytes: sum(headers, ({ runs, bodyLength }) => headerLength(group, runs.length) + bodyLength),
    codecs: codecs.map((codec) => {
      const those = headers.filter((header) => header.codec === codec);
      return {
        codec,
        blocks: those.length,
        storedBytes: sum(those, ({ bodyLength }) => bodyLength),
        rawBytes: sum(those, ({ rawLength }) => rawLength),
      };
    }),
  };
}

/** Blocks of a group that are named and are not what was written. */
export function brokenBlocks({ group, shard, floor }: JudgedGroup): Finding[] {
  return shard.found.of(group).flatMap((block): Finding[] => {
    if (block.intact) return [];
    const { number, torn } = block;
    const at = { shard: shard.number, group, blocks: { from: number, to: number } };
    const isDead = number < (floor?.lowestNumber ?? 0);
    const changed = `block ${number} was changed after it was written`;
    return torn
      ? [{ kind: 'note', ...at, what: `block ${number} is what an interrupted write left` }]
      : [{ kind: 'damage', ...at, what: isDead ? `${changed}; it is no part of the log any more` : changed }];
  });
}

/** Decodes every whole block, as reading its entries would. */
export async function undecodableBlocks(stopped: StoppedDirectory, judged: JudgedGroup): Promise<Finding[]> {
  const { group, shard } = judged;
  const findings: Finding[] = [];
  const blocks = shard.found.wholeOf(group);
  for (const [done, block] of blocks.entries()) {
    stopped.step({ doing: `decoding blocks of group ${group}`, done, all: blocks.length });
    try {
      await stopped.entriesOf(shard, block);
    } catch (error) {
      const { number, firstIndex, entryCount } = block.header;
      const entries = { from: firstIndex, to: firstIndex + entryCount - 1 };
      const why = error instanceof Error ? error.message : String(error);
      findings.push({
        kind: 'damage',
        shard: shard.number,
        group,
        blocks: { from: number, to: number },
        entries,
        what: `block ${number} (entries ${entries.from} to ${entries.to}) cannot be decoded: ${why}`,
      });
    }
  }
  return findings;
}
