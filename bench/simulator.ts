// How fast simulated time passes: three replicas, 100 operations/s, every check on.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseScenario } from '../lab/scenario/parse.ts';
import { runScenario } from '../lab/world/simulated/run-scenario.ts';
import { row } from './table.ts';

/** Prints the section. */
export async function benchSimulator(): Promise<void> {
  console.log('\nThe simulator: 3 replicas, 100 operations/s, every checker on');
  const file = fileURLToPath(new URL('../../scenarios/baseline.yaml', import.meta.url));
  const scenario = parseScenario({ text: await readFile(file, 'utf8'), file });
  await runScenario(scenario, { seed: 1 });
  for (const seed of [2, 3, 4]) {
    const { virtualMs, wallMs, events } = await runScenario(scenario, { seed });
    row(
      `seed ${seed}`,
      `${Math.round(virtualMs / wallMs)} virtual s per wall s`,
      `${Math.round(events / (virtualMs / 1000))} events per virtual s`,
    );
  }
}
