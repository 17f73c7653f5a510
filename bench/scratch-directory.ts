import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, statfs } from 'node:fs/promises';
import { join } from 'node:path';

const signals = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * A new directory below `scratch`, which is removed however `body` ends, by Ctrl-C too.
 *
 * @throws Error when the disk has not as many bytes free, before anything is written.
 */
export async function inScratchDirectory<T>(
  { scratch, name, bytesFree }: { scratch: string; name: string; bytesFree: number },
  body: (directory: string) => Promise<T>,
): Promise<T> {
  await mkdir(scratch, { recursive: true });
  await refuseWithoutSpace(scratch, bytesFree);
  const directory = await mkdtemp(join(scratch, `${name}-`));
  const remove = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  const onSignal = (signal: keyof typeof signals): void => {
    remove();
    process.exit(signals[signal]);
  };
  for (const signal of Object.keys(signals)) process.once(signal, onSignal);
  try {
    return await body(directory);
  } finally {
    for (const signal of Object.keys(signals)) process.off(signal, onSignal);
    remove();
  }
}

async function refuseWithoutSpace(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= bytes) return;
  const gigabytes = (count: number): string => (count / 1e9).toFixed(1);
  throw new Error(
    `${directory} has ${gigabytes(bavail * bsize)} GB free, and ${gigabytes(bytes)} are needed`,
  );
}
