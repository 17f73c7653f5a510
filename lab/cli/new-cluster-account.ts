import type { NewCluster } from '../../src/storage/index.ts';

/** What was made, and what to do with it. */
export function formatNewCluster(
  { clusterId, group, members }: NewCluster,
  made: { readonly out: string; readonly backend: string; readonly shards: number },
): string {
  const width = Math.max(...members.map(({ id }) => id.length));
  const lines = members.map(
    ({ id, address, incarnation }) =>
      `  ${id.padEnd(width)}  at ${address}  ${made.out}/${id}  (incarnation ${incarnation})`,
  );
  const shards = made.shards === 1 ? '' : `, shards: ${made.shards}`;
  const ofGroup = group === 'default' ? '' : `, group ${group}`;
  return (
    `Cluster ${clusterId} is made. Its members${ofGroup}:\n${lines.join('\n')}\n` +
    'Move each directory to where its replica runs, and start the replica there with this id and address, and\n' +
    `fileStorage({ directory, backend: '${made.backend}'${shards} }). A bootstrap list may stay as it is: it is\n` +
    'ignored, since the directory is not empty. What still runs of the old cluster is another cluster from now on:\n' +
    'stop it, or clients may go on to write there.\n'
  );
}
