#!/usr/bin/env node
// One replica of the key-value server: Raft over TCP, its log on disk, an HTTP face.
import { once } from 'node:events';
import { Command as CommandLine, Option } from 'commander';
import { RaftNode } from 'kontiki';
import { fileStorage } from 'kontiki/storage';
import { tcpTransport } from 'kontiki/transport';
import { pino } from 'pino';
import { kvServer } from './http.ts';
import { type KvMember, parseMembers } from './member-list.ts';
import { Store } from './store.ts';

interface Options {
  readonly id: string;
  readonly members: readonly KvMember[];
  readonly dir: string;
  readonly backend: 'files' | 'level';
  readonly logLevel: string;
}

const program = new CommandLine('kv-server')
  .description('One replica of a replicated key-value server.')
  .requiredOption('--id <id>', 'which of the members this process is')
  .requiredOption('--members <list>', 'id=raftHost:port/httpHost:port, separated by commas', parseMembers)
  .requiredOption('--dir <directory>', 'where this replica keeps its log')
  .addOption(
    new Option('--backend <name>', 'how the log is stored').choices(['files', 'level']).default('files'),
  )
  .option('--log-level <level>', 'pino level: trace, debug, info, warn, error, silent', 'info')
  .action((options: Options) => serve(options));

async function serve(options: Options): Promise<void> {
  const self = options.members.find(({ id }) => id === options.id);
  if (self === undefined) {
    throw new Error(
      `--id ${options.id} is none of the members ${options.members.map(({ id }) => id).join(', ')}`,
    );
  }
  const logger = pino({ level: options.logLevel });
  const store = new Store();
  const node = await RaftNode.open({
    id: self.id,
    storage: fileStorage({ directory: options.dir, backend: options.backend }),
    transport: tcpTransport({ listen: self.raft }),
    stateMachine: store,
    bootstrap: { members: options.members.map(({ id, raft }) => ({ id, address: raft })) },
    logger,
  });
  const server = kvServer(node, store, new Map(options.members.map(({ id, http }) => [id, http])));
  const close = async (exitCode: number): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await node.close();
    process.exitCode = exitCode;
  };
  node.once('stopped', ({ error }) => {
    if (error !== null) void close(1);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close(0));

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

await program.parseAsync().catch((error: unknown) => {
  console.error(`kv-server: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
