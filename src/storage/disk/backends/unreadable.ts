import { StrayBytes } from '../stray-bytes.ts';
import type { Backend, Scan } from './backend.ts';

/** So often a read is tried that the disk fails: one that failed once is no damage yet. */
const ATTEMPTS = 5;

/** @returns the error when the disk fails it every time. @throws what is not said by the disk of its medium. */
export async function persistently<T>(read: () => Promise<T>): Promise<{ value: T } | { error: Error }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { value: await read() };
    } catch (error) {
      if ((error as { readonly code?: unknown }).code !== 'EIO') throw error;
      if (attempt === ATTEMPTS) return { error: error as Error };
    }
  }
}

/**
 * A shard of which nothing can be read: all of its blocks are missing. Any group may have had blocks there, and that
 * is what bytes say as well which were changed so that nobody can tell whose they were.
 */
export function unreadableShard(why: string): Scan {
  const stray = new StrayBytes();
  stray.pass('damaged');
  return { blocks: [], stray, unreadable: why };
}

/**
 * A shard of which not all could be read. Until something is to be written nothing is changed; then what could not be
 * read is put aside first, so that it never turns up again beside what is written in its place.
 *
 * @param found - null where there is nothing at all, not even a folder: that is evidence too, as long as it is so.
 * @param replace - makes the one that is written to.
 */
export function puttingAsideFirst(found: Backend | null, replace: () => Promise<Backend>): Backend {
  let replacing: Promise<Backend> | null = null;
  let current = found;
  const replaced = (): Promise<Backend> => {
    replacing ??= replace().then((backend) => {
      current = backend;
      return backend;
    });
    return replacing;
  };
  return {
    scan: async () => unreadableShard('it was scanned before'),
    settle: async () => current?.settle(),
    append: async (blocks, meanwhile) => (await replaced()).append(blocks, meanwhile),
    read: async (location) => (current ?? (await replaced())).read(location),
    doubt: async (location) => current?.doubt(location),
    dropBelow: async (group, number) => (await replaced()).dropBelow(group, number),
    putAside: async () => {
      await replaced();
    },
    close: async () => current?.close(),
    erase: async () => (await replaced()).erase(),
  };
}
