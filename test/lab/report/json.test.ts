import { describe, expect, it } from 'vitest';
import { formatResultsJson } from '../../../lab/report/json.ts';
import { passedRun, violatedRun } from './run-results.ts';

describe('results as JSON', () => {
  it('have a version, every result in order, and everything but wall time', () => {
    const runs = [passedRun({ seed: 1 }), violatedRun({ seed: 2 })];
    const read: unknown = JSON.parse(formatResultsJson(runs));
    const timeless = runs.map(({ wallMs: _, ...run }) => run);
    expect(read).toEqual({ version: 1, results: timeless });
  });

  it('are the same bytes however long the run took', () => {
    expect(formatResultsJson([passedRun({ wallMs: 1 })])).toBe(formatResultsJson([passedRun({ wallMs: 2 })]));
  });

  it('differ when anything else does', () => {
    expect(formatResultsJson([passedRun({ events: 1 })])).not.toBe(
      formatResultsJson([passedRun({ events: 2 })]),
    );
  });

  it('end with a newline, and are valid JSON without any result', () => {
    expect(formatResultsJson([])).toBe('{\n  "version": 1,\n  "results": []\n}\n');
  });
});
