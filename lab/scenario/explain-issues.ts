import type { z } from 'zod';
import { didYouMean } from './did-you-mean.ts';
import type { Mistake } from './mistakes.ts';
import type { Path, YamlDocument } from './yaml-document.ts';

/** An issue at its full path, out of whatever unions it was found in. */
export interface FlatIssue {
  readonly path: Path;
  readonly issue: z.core.$ZodIssue;
}

/** A value that fits no branch of a union gives the issues of the branch that was meant. */
export function flattenIssues(issues: readonly z.core.$ZodIssue[], above: Path = []): FlatIssue[] {
  return issues.flatMap((issue) => {
    const path = [...above, ...issue.path];
    const branch = issue.code === 'invalid_union' ? meantBranch(issue.errors) : null;
    return branch ? flattenIssues(branch, path) : [{ path, issue }];
  });
}

/** What zod found wrong with a document, in the words of whoever wrote the file. */
export function explainIssue(document: YamlDocument, { path, issue }: FlatIssue): Mistake[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...document.locateKey([...path, key]),
      where: formatPath(path),
      found: `the unknown key ${JSON.stringify(clip(key))}`,
      expected: suggest(issue.message, key),
    }));
  }
  const value = valueAt(document.value, path);
  const mappingWanted = issue.code === 'invalid_type' && issue.expected === 'object';
  return [
    {
      ...document.locate(path),
      where: formatPath(path),
      found: describeFound(value),
      expected: mappingWanted
        ? `a mapping with keys out of ${issue.message.replace('one of ', '')}`
        : suggest(issue.message, value),
    },
  ];
}

/** `['timeline', 2, 'partition']` -> `timeline[2].partition`. */
export function formatPath(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

/** A value in a few words. */
export function describeFound(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) {
    if (value.length === 0) return 'an empty list';
    const flat = value.every((item) => typeof item !== 'object' || item === null);
    return flat ? clip(`[${value.join(', ')}]`) : `a list of ${value.length}`;
  }
  if (typeof value === 'object') {
    const keys = Object.keys(value);
    if (keys.length === 0) return 'an empty mapping';
    return `a mapping with ${clip(keys.slice(0, 6).join(', '))}${keys.length > 6 ? ', ...' : ''}`;
  }
  return typeof value === 'string' ? JSON.stringify(clip(value)) : clip(String(value));
}

/** The branch whose kind of value was written: `{on: ...}` is meant as a mapping, even a wrong one. */
function meantBranch(branches: readonly z.core.$ZodIssue[][]): readonly z.core.$ZodIssue[] | null {
  const meant = branches.filter((issues) => !issues.some(isOtherKind));
  return meant.length === 1 ? (meant[0] ?? null) : null;
}

function isOtherKind(issue: z.core.$ZodIssue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_type') return true;
  return issue.code === 'invalid_union' && issue.errors.every((issues) => issues.some(isOtherKind));
}

function suggest(expected: string, found: unknown): string {
  if (!expected.startsWith('one of ') || typeof found !== 'string') return expected;
  const meant = didYouMean(found, expected.slice('one of '.length).split(', '));
  return meant === null ? expected : `${expected}; did you mean ${meant}?`;
}

function valueAt(value: unknown, path: Path): unknown {
  let at: unknown = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}

function clip(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}
