import type { RunResult } from '../../../lab/report/run-result.ts';
import { parseScenario } from '../../../lab/scenario/parse.ts';
import { runScenario } from '../../../lab/world/simulated/run-scenario.ts';

/** Runs consecutive seeds until one is violated; null when all of them held. */
export async function firstViolation(text: string, seeds: number): Promise<RunResult | null> {
  const scenario = parseScenario({ text, file: 'planted.yaml' });
  for (let seed = 1; seed <= seeds; seed += 1) {
    const result = await runScenario(scenario, { seed });
    if (result.verdict === 'violated') return result;
  }
  return null;
}
