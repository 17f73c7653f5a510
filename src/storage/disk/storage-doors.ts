import type { Clock } from '../../doors/clock.ts';
import type { OpenDatabase } from '../../doors/database.ts';
import type { Disk } from '../../doors/disk.ts';
import { nodeClock } from '../../doors/node-clock.ts';
import { nodeOpenDatabase } from '../../doors/node-database.ts';
import { nodeDisk } from '../../doors/node-disk.ts';
import { nodeRandom } from '../../doors/node-random.ts';
import { nodeWork } from '../../doors/node-work.ts';
import type { Random } from '../../doors/random.ts';
import type { Work } from '../../doors/work.ts';

/** The doors that a storage on disk goes through. */
export interface StorageDoors {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly work: Work;
  readonly openDatabase: OpenDatabase;
}

/** The machine's own. */
export function nodeStorageDoors(): StorageDoors {
  return {
    clock: nodeClock(),
    random: nodeRandom(),
    disk: nodeDisk(),
    work: nodeWork(),
    openDatabase: nodeOpenDatabase(),
  };
}
