// npm run bench [section[=number]...], see README.md. Measures and prints; asserts nothing.
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { benchCore } from './core.ts';
import { benchMemory } from './memory.ts';
import { benchOpening } from './opening.ts';
import { benchOverload } from './overload.ts';
import { benchReads } from './reads.ts';
import { benchReplication } from './replication.ts';
import { benchSimulator } from './simulator.ts';
import { benchSnapshot } from './snapshot.ts';
import { benchStorage } from './storage.ts';
import { benchSustained } from './sustained.ts';

/** On the disk of this directory, which is the one to be measured. */
const scratch = fileURLToPath(new URL('../../.kontiki/bench', import.meta.url));
const sections: Readonly<Record<string, (size?: number) => void | Promise<void>>> = {
  core: () => benchCore(),
  memory: () => benchMemory(),
  storage: () => benchStorage(scratch),
  replication: () => benchReplication(scratch),
  reads: () => benchReads(scratch),
  opening: (entriesMax = 10_000_000) => benchOpening(scratch, entriesMax),
  overload: (seconds = 6) => benchOverload(scratch, seconds),
  snapshot: (mebibytes = 2048) => benchSnapshot(scratch, mebibytes),
  sustained: (gigabytes = 10) => benchSustained(scratch, gigabytes),
  simulator: () => benchSimulator(),
};
const asked = new Map(process.argv.slice(2).map((argument) => sectionOf(argument)));
const unknown = [...asked.keys()].filter((name) => !(name in sections));
if (unknown.length > 0) {
  console.error(`no section ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}`);
  process.exitCode = 2;
} else {
  console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`);
  for (const [name, run] of Object.entries(sections)) {
    if (asked.size === 0 || asked.has(name)) await run(asked.get(name));
  }
}

/** `snapshot` or `snapshot=256`. */
function sectionOf(argument: string): [name: string, size: number | undefined] {
  const [, name = '', size] = /^([a-z]+)(?:=([1-9][0-9]*))?$/.exec(argument) ?? [null, argument];
  return [name, size === undefined ? undefined : Number(size)];
}
