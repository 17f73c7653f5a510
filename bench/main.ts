// npm run bench [section...]: core, replication, simulator. Measures and prints; asserts nothing.
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { benchCore } from './core.ts';
import { benchReplication } from './replication.ts';
import { benchSimulator } from './simulator.ts';

const sections: Readonly<Record<string, () => void | Promise<void>>> = {
  core: benchCore,
  replication: () => benchReplication(fileURLToPath(new URL('../../.kontiki/bench', import.meta.url))),
  simulator: benchSimulator,
};
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in sections));
if (unknown.length > 0) {
  console.error(`no section ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}`);
  process.exitCode = 2;
} else {
  console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`);
  for (const [name, run] of Object.entries(sections)) {
    if (asked.length === 0 || asked.includes(name)) await run();
  }
}
