import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Sends `ask` to a forked process, and resolves with what it sends next. */
export async function asks<Ask extends { readonly kind: string }, Answer>(
  child: ChildProcess,
  ask: Ask,
): Promise<Answer> {
  const gone = new AbortController();
  const answered = once(child, 'message', { signal: gone.signal }) as Promise<[Answer]>;
  const exited = once(child, 'exit', { signal: gone.signal }).then(([code]) => {
    throw new Error(`a replica process ended with code ${String(code)} when asked to ${ask.kind}`);
  });
  child.send(ask);
  try {
    const [answer] = await Promise.race([answered, exited]);
    return answer;
  } finally {
    gone.abort();
    await Promise.allSettled([answered, exited]);
  }
}

/** In the forked process: answers its parent, one question after another, until it is asked to close. */
export function answersParent<Ask extends { readonly kind: string }>(
  answer: (ask: Ask) => Promise<object>,
): void {
  process.on('message', (ask: Ask) => {
    answer(ask).then(
      (told) => {
        process.send?.(told);
        // Nothing keeps the process then, and a profiler writes what it has.
        if (ask.kind === 'close') process.disconnect();
      },
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
