import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Machine } from '../../../lab/cli/machine.ts';
import { nodeMachine } from '../../../lab/cli/node-machine.ts';

/** The real files, and a terminal that remembers; `interrupt` is Ctrl-C. */
export interface TestMachine extends Machine {
  readonly printed: string[];
  readonly complained: string[];
  nowMs: number;
  interrupt(): void;
  /** Whether anything waits for Ctrl-C. */
  listening(): boolean;
}

export function testMachine(options: { liveColumns?: number } = {}): TestMachine {
  const { readText, prepareFile } = nodeMachine();
  const listeners: (() => void)[] = [];
  return {
    printed: [],
    complained: [],
    nowMs: 0,
    print(text) {
      this.printed.push(text);
    },
    complain(text) {
      this.complained.push(text);
    },
    liveColumns: options.liveColumns ?? null,
    colour: false,
    now() {
      return this.nowMs;
    },
    readText,
    prepareFile,
    onInterrupt(callback) {
      listeners.push(callback);
      return () => {
        listeners.splice(listeners.indexOf(callback), 1);
      };
    },
    interrupt: () => {
      for (const listener of [...listeners]) listener();
    },
    listening: () => listeners.length > 0,
  };
}

/** A folder of the test's own, gone when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kontiki-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
