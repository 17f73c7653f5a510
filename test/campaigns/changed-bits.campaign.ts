import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { StorageRefused } from '../../src/storage/index.ts';
import { seeded } from '../raft/seeded.ts';
import { DirectoryCluster, type Id, ids } from './directory-cluster.ts';

const FLIPS = Number(process.env.KONTIKI_FLIPS ?? 200);
const seed = Number(process.env.KONTIKI_SEED ?? 1);

/**
 * One bit of one file, each file as likely as another, is turned round; not of what was put aside, which nobody reads.
 *
 * @returns where.
 */
function flipIn(directory: string, integer: (from: number, to: number) => number): string {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .filter((path) => statSync(path).size > 0 && !path.includes('/damaged-'))
    .sort();
  const path = files[integer(0, files.length)] ?? '';
  const at = integer(0, statSync(path).size);
  const file = openSync(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    writeSync(file, Buffer.of(byte.readUInt8(0) ^ (1 << integer(0, 8))), 0, 1, at);
  } finally {
    closeSync(file);
  }
  return `${path.slice(directory.length + 1)} byte ${at}`;
}

it.each(['files', 'level'] as const)(
  `${FLIPS} changed bits on stopped replicas lose nothing: %s`,
  async (backend) => {
    const { integer } = seeded(seed);
    const directory = mkdtempSync(join(tmpdir(), 'kontiki-bits-'));
    const cluster = new DirectoryCluster(directory, backend);
    const table = new Map<string, number>();
    const count = (outcome: string): void => {
      table.set(outcome, (table.get(outcome) ?? 0) + 1);
    };
    try {
      await Promise.all(ids.map((id) => cluster.open(id)));
      await cluster.write(300);
      for (let flip = 0; flip < FLIPS; flip += 1) {
        const victim: Id = ids[integer(0, ids.length)] ?? 'n1';
        await cluster.close(victim);
        const where = flipIn(cluster.directoryOf(victim), integer);
        await cluster.write(5);
        const kind = where.replace(/[0-9]+/g, '#').replace(/ byte.*/, '');
        try {
          await cluster.open(victim);
        } catch (error) {
          // Anything else is a crash without a clear message.
          if (!(error instanceof StorageRefused))
            throw new Error(`${victim} with ${where}`, { cause: error });
          expect(error.message, where).toMatch(new RegExp(`${directory}|replica ${victim}`));
          count(`${kind}: refused as ${error.reason}, emptied, came back as another server`);
          rmSync(cluster.directoryOf(victim), { recursive: true });
          await cluster.open(victim);
          await cluster.whole(victim);
          continue;
        }
        await cluster.whole(victim);
        const { node, outcomes = [] } = cluster.running.get(victim) ?? {};
        const isFound = (node?.metrics().raft_damage_found_total ?? 0) > 0;
        if (isFound) expect(outcomes, where).not.toEqual([]);
        count(`${kind}: ${outcomes.join(', ') || 'of no consequence'}`);
        await cluster.write(20);
      }
      for (const id of ids) {
        await cluster.whole(id);
        const one = cluster.running.get(id);
        expect(one && cluster.missingOn(one), id).toEqual([]);
      }
    } finally {
      console.log(
        `${backend}, seed ${seed}\n${[...table]
          .sort()
          .map(([what, times]) => `${String(times).padStart(5)}  ${what}`)
          .join('\n')}`,
      );
      await Promise.allSettled(ids.map((id) => cluster.close(id)));
    }
    rmSync(directory, { recursive: true });
  },
);
