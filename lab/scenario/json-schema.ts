import { z } from 'zod';
import { scenarioSchema } from './schema.ts';

/** The JSON Schema of a scenario file as text, for editors that complete and check YAML with it. */
export function scenarioJsonSchema(): string {
  const schema = z.toJSONSchema(scenarioSchema, { io: 'input', target: 'draft-7', reused: 'inline' });
  return `${JSON.stringify(schema, null, 2)}\n`;
}
