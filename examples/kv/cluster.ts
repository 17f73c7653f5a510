#!/usr/bin/env node
// Starts a local cluster of three replicas, one process each, and restarts none of them.
import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command as CommandLine, Option } from 'commander';
import { formatMembers, type KvMember } from './member-list.ts';

const SERVER = fileURLToPath(new URL('./server.js', import.meta.url));

interface Options {
  readonly backend: string;
  readonly dir: string;
  readonly port: string;
}

await new CommandLine('kv-cluster')
  .description('Three replicas of the key-value server on this machine. Ctrl-C stops them; their data stays.')
  .addOption(
    new Option('--backend <name>', 'how logs are stored').choices(['files', 'level']).default('files'),
  )
  .option('--dir <directory>', 'where the replicas keep their logs', 'data')
  .option('--port <port>', 'HTTP ports are port+1, port+2, port+3; Raft uses port+11 and on', '8000')
  .action((options: Options) => start(options))
  .parseAsync();

function start({ backend, dir, port }: Options): void {
  const base = Number(port);
  const members: KvMember[] = [1, 2, 3].map((n) => ({
    id: `n${n}`,
    raft: `127.0.0.1:${base + 10 + n}`,
    http: `127.0.0.1:${base + n}`,
  }));
  const children: ChildProcess[] = members.map(({ id }) => {
    const directory = resolve(join(dir, id));
    const child = spawn(
      process.execPath,
      [SERVER, '--id', id, '--members', formatMembers(members), '--dir', directory, '--backend', backend],
      { stdio: 'inherit' },
    );
    child.on('exit', (code, signal) => {
      console.error(`${id} ended (${signal ?? `code ${code}`}); the rest go on while a majority lives`);
      if (code !== 0) process.exitCode = 1;
    });
    return child;
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      for (const child of children) child.kill(signal);
    });
  }
  console.error(`try: curl -L -X PUT -d hello http://${members[0]?.http}/keys/greeting`);
  console.error(`     curl -L http://${members[1]?.http}/keys/greeting`);
}
