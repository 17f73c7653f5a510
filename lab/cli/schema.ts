import { scenarioJsonSchema } from '../scenario/json-schema.ts';
import { type ExitCode, exitCode } from './exit-code.ts';
import type { Machine } from './machine.ts';

/** `kontiki schema`: the JSON Schema of scenario files. */
export function schemaCommand(machine: Machine): ExitCode {
  machine.print(scenarioJsonSchema());
  return exitCode.ok;
}
