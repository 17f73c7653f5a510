import type { Envelope } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import { Cluster } from './cluster.ts';

const THREE = ['n1', 'n2', 'n3'];

/** A cluster whose first replica leads, everything committed everywhere. */
export function led(options: Partial<RaftOptions> = {}, ids: readonly string[] = THREE): Cluster {
  const cluster = new Cluster([...ids], { options });
  cluster.elect(ids[0] ?? '');
  cluster.run(300);
  return cluster;
}

/** Nothing passes from or to these. */
export const without =
  (...ids: string[]) =>
  ({ from, to }: Envelope): boolean =>
    !ids.includes(from.id) && !ids.includes(to.id);
