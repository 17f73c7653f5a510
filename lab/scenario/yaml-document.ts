import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from 'yaml';
import type { Mistake } from './mistakes.ts';

export type Path = readonly PropertyKey[];

/** A YAML text as plain values that still know where they stood. */
export interface YamlDocument {
  readonly value: unknown;
  /** Where the value at `path` begins, or the nearest thing above it that is there. */
  locate(path: Path): Position;
  /** Where the key that `path` ends with begins. */
  locateKey(path: Path): Position;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A scenario is a page of text; what is larger is some other file. */
const CHARACTERS_MAX = 256 * 1024;

/**
 * Reads a text as YAML. Where the mistakes leave nothing to look at further `document` is null; otherwise
 * what else is wrong with it can be told in the same breath.
 */
export function readYaml(text: string): { document: YamlDocument | null; mistakes: Mistake[] } {
  if (text.length > CHARACTERS_MAX) {
    const found = `${text.length} characters`;
    return fatal([
      mistake({ line: 1, column: 1 }, found, `a scenario of at most ${CHARACTERS_MAX} characters`),
    ]);
  }
  const lines = new LineCounter();
  // At the level `silent` a second document in the file would not be reported.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const at = (offset: number): Position => {
    const position = lines.linePos(offset);
    return { line: Math.max(1, position.line), column: Math.max(1, position.col) };
  };

  const problems = [...document.errors, ...document.warnings];
  const mistakes = problems.map((problem) => syntaxMistake(text, at(problem.pos[0]), problem));
  const tooDeep = mistakes.find((_, index) => problems[index]?.code === 'RESOURCE_EXHAUSTION');
  if (tooDeep) return fatal([tooDeep]);
  if (problems.some((problem) => problem.code !== 'DUPLICATE_KEY')) return fatal(mistakes);

  const aliases = aliasMistakes(document, at);
  if (aliases.length > 0) return fatal([...mistakes, ...aliases]);

  const value: unknown = document.toJS();
  if (value === null || value === undefined) {
    const start = { line: 1, column: 1 };
    return fatal([...mistakes, mistake(start, 'an empty document', 'a scenario: at least `duration: 30s`')]);
  }
  return { document: { value, ...locators(document, at) }, mistakes };
}

/** Aliases save a scenario nothing, and can make a few lines stand for gigabytes. */
function aliasMistakes(document: Document, at: (offset: number) => Position): Mistake[] {
  const mistakes: Mistake[] = [];
  visit(document, {
    Alias(_, alias) {
      const found = `the alias *${alias.source}`;
      mistakes.push(mistake(at(alias.range?.[0] ?? 0), found, 'the value itself; aliases are not used here'));
    },
  });
  return mistakes;
}

function locators(
  document: Document,
  at: (offset: number) => Position,
): Pick<YamlDocument, 'locate' | 'locateKey'> {
  const walk = (path: Path): { key: Position; value: Position } => {
    let node: unknown = document.contents;
    let value = at(startOf(node) ?? 0);
    let key = value;
    for (const part of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
        if (!pair) break;
        key = at(startOf(pair.key) ?? 0);
        node = pair.value;
        value = at(startOf(node) ?? startOf(pair.key) ?? 0);
      } else if (isSeq(node)) {
        const item = node.items[Number(part)];
        if (item === undefined || isPair(item)) break;
        node = item;
        value = at(startOf(node) ?? 0);
        key = value;
      } else {
        break;
      }
    }
    return { key, value };
  };
  return { locate: (path) => walk(path).value, locateKey: (path) => walk(path).key };
}

function startOf(node: unknown): number | null {
  if (!(isMap(node) || isSeq(node) || isScalar(node) || isAlias(node))) return null;
  return node.range?.[0] ?? null;
}

function syntaxMistake(
  text: string,
  at: Position,
  problem: { code: string; message: string; pos: [number, number] },
): Mistake {
  switch (problem.code) {
    case 'DUPLICATE_KEY': {
      const key = /^(?:"[^"\n]*"|'[^'\n]*'|[^\s:,{}[\]]+)/.exec(text.slice(problem.pos[0]))?.[0] ?? '';
      return mistake(at, `the key ${key} a second time`, 'each key once');
    }
    case 'TAB_AS_INDENT':
      return mistake(at, 'a tab as indentation', 'spaces');
    case 'MULTIPLE_DOCS':
      return mistake(at, 'a second document after ---', 'one scenario a file');
    case 'RESOURCE_EXHAUSTION':
      return mistake(at, 'nesting too deep to be read', 'a scenario, which has 5 levels at most');
    default: {
      const line = (text.split(/\r?\n/)[at.line - 1] ?? '').trim();
      const found = line === '' ? 'the end of the text' : JSON.stringify(line.slice(0, 60));
      const message = problem.message.replace(/\s+/g, ' ').replace(/[.:]$/, '');
      return mistake(at, found, `valid YAML (${message})`);
    }
  }
}

function mistake(at: Position, found: string, expected: string): Mistake {
  return { ...at, where: '', found, expected };
}

function fatal(mistakes: Mistake[]): { document: null; mistakes: Mistake[] } {
  return { document: null, mistakes };
}
