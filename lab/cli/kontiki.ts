#!/usr/bin/env node
import { exitCode } from './exit-code.ts';
import { nodeMachine } from './node-machine.ts';
import { runProgram } from './program.ts';

// `kontiki ... | head`: whoever read has gone, and with it the reason to go on.
const BROKEN_PIPE_EXIT_CODE = 141;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? BROKEN_PIPE_EXIT_CODE : exitCode.labFailed);
});

try {
  process.exitCode = await runProgram(process.argv.slice(2), nodeMachine(), async () => {
    const { runScenario } = await import('../world/simulated/run-scenario.ts');
    return runScenario;
  });
} catch (error) {
  // Left to Node this would end with 1, which says that a scenario was violated.
  console.error(error);
  process.exitCode = exitCode.labFailed;
}
// An interrupted run may still be on the event loop.
if (process.exitCode === exitCode.interrupted) process.exit();
