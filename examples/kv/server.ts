#!/usr/bin/env node
// One replica of the key-value server: Raft over TCP, its log on disk, an HTTP face.
import { once } from 'node:events';
import { Command as CommandLine, InvalidArgumentError, Option } from 'commander';
import { RaftNode, snapshotPolicy } from 'kontiki';
import { fileStorage } from 'kontiki/storage';
import { tcpTransport } from 'kontiki/transport';
import { pino } from 'pino';
import { runUntilItEnds } from './ending.ts';
import { kvServer } from './http.ts';
import { HttpAddresses, type KvNode, publishHttpAddresses } from './http-addresses.ts';
import { type KvMember, type KvSeed, parseAddress, parseMembers, parseSeeds } from './member-list.ts';
import { Store } from './store.ts';

interface Options {
  readonly id: string;
  readonly members?: readonly KvMember[];
  readonly join?: readonly KvSeed[];
  readonly raft?: string;
  readonly http?: string;
  readonly listen?: string;
  readonly dir: string;
  readonly backend: 'files' | 'level';
  readonly snapshotEntries: number;
  readonly clockDrift?: number;
  readonly logLevel: string;
}

const program = new CommandLine('kv-server')
  .description('One replica of a replicated key-value server.')
  .requiredOption('--id <id>', "this replica's name in the cluster")
  .option(
    '--members <list>',
    'first members of a new cluster, this one included: id=raftHost:port/httpHost:port,...',
    parseMembers,
  )
  .option(
    '--join <seeds>',
    'to join an existing cluster: one of its members, or several: id=raftHost:port[/httpHost:port],...',
    parseSeeds,
  )
  .option('--raft <host:port>', 'where the Raft transport listens; with --join', parseAddress)
  .option('--http <host:port>', 'where the HTTP face listens; with --join', parseAddress)
  .option(
    '--listen <host:port>',
    'where the Raft transport listens, if others reach it at another address, as through a proxy',
    parseAddress,
  )
  .requiredOption('--dir <directory>', 'where this replica keeps its log and snapshots')
  .addOption(
    new Option('--backend <name>', 'how the log is stored').choices(['files', 'level']).default('files'),
  )
  .option('--snapshot-entries <n>', 'a snapshot after every n entries', parseCount, 10_000)
  .option(
    '--clock-drift <ratio>',
    'by how much the clocks of the members may drift apart, such as 0.1; then reads are by a lease',
    parseRatio,
  )
  .option('--log-level <level>', 'pino level: trace, debug, info, warn, error, silent', 'info')
  .action((options: Options) => serve(options));

async function serve(options: Options): Promise<void> {
  const self = selfOf(options);
  const logger = pino({ level: options.logLevel });
  const store = new Store();
  const node: KvNode = await RaftNode.open({
    id: self.id,
    storage: fileStorage({ directory: options.dir, backend: options.backend }),
    transport: tcpTransport({ listen: options.listen ?? self.raft }),
    address: self.raft,
    stateMachine: store,
    snapshots: snapshotPolicy({
      entries: options.snapshotEntries,
      keepEntries: Math.min(1_000, options.snapshotEntries),
    }),
    metadata: { http: self.http },
    ...(options.clockDrift === undefined
      ? {}
      : { readConsistency: 'lease', raft: { clockDriftMaxRatio: options.clockDrift } }),
    ...(options.members && { bootstrap: { members: options.members.map(addressOf) } }),
    ...(options.join && { join: { seeds: options.join.map(addressOf) } }),
    logger,
  });
  const addresses = new HttpAddresses(node, [...(options.members ?? []), ...(options.join ?? [])]);
  publishHttpAddresses(node, addresses, logger);
  const server = kvServer(node, store, addresses);
  runUntilItEnds(node, server, logger);

  const colon = self.http.lastIndexOf(':');
  server.listen(Number(self.http.slice(colon + 1)), self.http.slice(0, colon));
  try {
    await once(server, 'listening');
  } catch (error) {
    await node.close();
    throw error;
  }
  logger.info({ http: self.http, raft: self.raft, dir: options.dir }, `kv replica ${self.id} is up`);
}

/** Who this process is, by one of the two ways into a cluster. */
function selfOf({ id, members, join, raft, http }: Options): KvMember {
  if ((members === undefined) === (join === undefined)) {
    throw new Error('expected either --members (a new cluster) or --join (an existing one)');
  }
  if (members === undefined) {
    if (raft === undefined || http === undefined) throw new Error('--join needs --raft and --http as well');
    return { id, raft, http };
  }
  const self = members.find((member) => member.id === id);
  if (self === undefined) {
    throw new Error(`--id ${id} is none of the members ${members.map((member) => member.id).join(', ')}`);
  }
  return self;
}

function addressOf({ id, raft }: KvSeed): { id: string; address: string } {
  return { id, address: raft };
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new InvalidArgumentError(`expected a positive integer, found ${JSON.stringify(text)}`);
  }
  return count;
}

function parseRatio(text: string): number {
  const ratio = Number(text);
  if (text.trim() === '' || !(ratio >= 0 && ratio < 1)) {
    throw new InvalidArgumentError(`expected a ratio from 0 to below 1, found ${JSON.stringify(text)}`);
  }
  return ratio;
}

await program.parseAsync().catch((error: unknown) => {
  console.error(`kv-server: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
