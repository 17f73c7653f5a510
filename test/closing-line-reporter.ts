import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with one plain line that any log reader understands. */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    let passed = 0;
    let failed = 0;
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        if (test.result().state === 'passed') passed += 1;
        else failed += 1;
      }
      failed += module.errors().length;
    }
    console.log(`${passed} passed, ${failed} failed`);
  }
}
