import { afterEach, beforeEach, expect, it } from 'vitest';
import { nodeStorageDoors } from '../../src/storage/disk/storage-doors.ts';
import { fileStorage } from '../../src/storage/index.ts';
import { MemoryDisk } from '../storage/disk/memory-disk.ts';
import { eventually, Nodes, truth } from './nodes.ts';

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

it('damage on an idle replica is found by a scrub, and repaired, though nobody writes or reads', async () => {
  const ids = ['n1', 'n2', 'n3'];
  const disks = new Map(ids.map((id) => [id, new MemoryDisk()]));
  const { leader, nodes: all } = await nodes.found(ids, (id) => ({
    storage: fileStorage({
      directory: '/data',
      scrubIntervalMs: 20,
      doors: { ...nodeStorageDoors(), disk: disks.get(id) as MemoryDisk },
    }),
  }));
  for (let i = 0; i < 10; i += 1) await leader.propose(1);
  const { lastIndex } = leader.status();
  await eventually(() => truth(all.every((node) => node.status().appliedIndex === lastIndex)));
  const [struck] = all.filter((node) => node !== leader);
  if (struck === undefined) throw new Error('no follower');
  let [found, repaired] = [0, 0];
  struck.on('damage-found', () => {
    found += 1;
  });
  struck.on('damage-repaired', () => {
    repaired += 1;
  });
  const blocks = disks.get(struck.status().id)?.files.get('/data/shard-0/000000000001.blocks');
  if (blocks === undefined) throw new Error('no segment');
  const middle = blocks.length >> 1;
  blocks.writeUInt8(blocks.readUInt8(middle) ^ 1, middle);
  await eventually(() => truth(repaired > 0 && struck.status().damage === null));
  expect([found, repaired]).toEqual([1, 1]);
  expect(leader.status().lastIndex).toBe(lastIndex);
});
