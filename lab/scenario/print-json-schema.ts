import { scenarioJsonSchema } from './json-schema.ts';

process.stdout.write(scenarioJsonSchema());
