import type { Contradiction } from './contradiction.ts';
import { crossChecks } from './cross-checks.ts';
import { describeFound, explainIssue, flattenIssues, formatPath } from './explain-issues.ts';
import { type Mistake, ScenarioError } from './mistakes.ts';
import { readPartially } from './partial-scenario.ts';
import type { Scenario, TimelineStep } from './scenario.ts';
import { scenarioSchema } from './schema.ts';
import { readYaml, type YamlDocument } from './yaml-document.ts';

/**
 * Reads a scenario from YAML, with every default filled in and the timeline in order of time.
 *
 * @param source.text - the YAML.
 * @param source.file - where it came from, for messages and reports; nothing is read from there.
 * @throws ScenarioError listing everything that is wrong, each with line, column, what was found and what
 *   was expected.
 */
export function parseScenario(source: { readonly text: string; readonly file: string }): Scenario {
  const { document, mistakes } = readYaml(source.text);
  if (document === null) throw new ScenarioError(source.file, mistakes);

  const checked = scenarioSchema.safeParse(document.value);
  const issues = checked.success ? [] : flattenIssues(checked.error.issues);
  for (const issue of issues) mistakes.push(...explainIssue(document, issue));
  for (const contradiction of crossChecks(readPartially(document.value, issues))) {
    mistakes.push(explainContradiction(document, contradiction));
  }
  if (!checked.success || mistakes.length > 0) throw new ScenarioError(source.file, mistakes);

  const { name, duration, timeline, ...rest } = checked.data;
  return {
    ...rest,
    name: name ?? nameOf(source.file),
    file: source.file,
    durationMs: duration,
    timeline: timeline
      .flatMap(({ everyMs, times, ...item }, index): TimelineStep[] => {
        const { line } = document.locate(['timeline', index]);
        return Array.from({ length: times }, (_, at) => ({ ...item, atMs: item.atMs + at * everyMs, line }));
      })
      .sort((a, b) => a.atMs - b.atMs),
  };
}

function explainContradiction(document: YamlDocument, contradiction: Contradiction): Mistake {
  const { path, found } = deepest(document.value, contradiction.path);
  return {
    ...document.locate(path),
    where: formatPath(path),
    found: describeFound(found),
    expected: contradiction.expected,
  };
}

/** As much of the path as the file has: `partition: leader` has no `on` of its own. */
function deepest(value: unknown, path: readonly PropertyKey[]): { path: PropertyKey[]; found: unknown } {
  const known: PropertyKey[] = [];
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) break;
    found = Reflect.get(found, part);
    known.push(part);
  }
  return { path: known, found };
}

function nameOf(file: string): string {
  const base = file.split(/[\\/]/).at(-1) ?? file;
  return base.replace(/\.(ya?ml)$/i, '') || 'scenario';
}
