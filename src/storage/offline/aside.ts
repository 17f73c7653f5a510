import type { Disk } from '../../doors/disk.ts';
import { parentOf } from '../disk/parent-of.ts';
import { RecoveryRefused } from '../errors.ts';
import { codeOf, namesIn, removeFolder } from './folder-tree.ts';

const ASIDE = '.partial';

/** Where something is made before it is shown. */
export interface Aside {
  /** This folder becomes the target. */
  readonly result: string;
  /** For copies and the like; nothing of it stays. */
  readonly scratch: string;
}

/** What `build` gives; `show` false: nothing is to be shown, and nothing stays. */
export interface Built<T> {
  readonly value: T;
  readonly show: boolean;
}

/**
 * Makes a folder as a whole or not at all. It is built beside the target, and takes its name by one rename once
 * everything in it is durable; whatever fails before, or ends `build`, leaves nothing. What a killed process
 * leaves has a name of its own, which no replica is started on, and the next attempt says so.
 *
 * @throws RecoveryRefused (`target-exists`, `wrong-options`), and what `build` throws.
 */
export async function buildAside<T>(
  disk: Disk,
  target: string,
  build: (aside: Aside) => Promise<Built<T>>,
): Promise<T> {
  const out = withoutSlash(target);
  const aside = `${out}${ASIDE}`;
  await refuseWithoutFolder(disk, parentOf(out));
  await refuseUnlessEmpty(disk, out, 'Name a folder that is not there yet.');
  await refuseUnlessEmpty(
    disk,
    aside,
    'A run that was killed left it, or one is under way. Remove it if none is.',
  );
  const result = `${aside}/result`;
  try {
    await disk.makeDirectory(result);
    const built = await build({ result, scratch: `${aside}/scratch` });
    if (built.show) await show(disk, result, out);
    return built.value;
  } finally {
    // A disk that does not let go of it now has failed before, or shows it to the next run.
    await forget(disk, aside).catch(() => {});
  }
}

/** For good: a power cut must not bring back what was told to be gone. */
async function forget(disk: Disk, folder: string): Promise<void> {
  await removeFolder(disk, folder);
  await disk.syncDirectory(parentOf(folder));
}

async function show(disk: Disk, result: string, out: string): Promise<void> {
  await rename(disk, result, out);
  try {
    await disk.syncDirectory(parentOf(out));
  } catch (error) {
    // Whether the name would outlive a power cut is not known: it must not be relied upon.
    await forget(disk, out).catch(() => {});
    throw error;
  }
}

async function rename(disk: Disk, from: string, to: string): Promise<void> {
  try {
    await disk.rename(from, to);
  } catch (cause) {
    if (codeOf(cause) !== 'EXDEV' && codeOf(cause) !== 'EBUSY') throw cause;
    throw new RecoveryRefused(
      'target-exists',
      `${to} is a file system of its own, so it cannot be put in place as a whole. Name a new folder in it.`,
      { cause },
    );
  }
}

async function refuseWithoutFolder(disk: Disk, folder: string): Promise<void> {
  const names = await namesIn(disk, folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOTDIR') return null;
    throw error;
  });
  if (names !== null) return;
  throw new RecoveryRefused('wrong-options', `out: there is no folder ${folder}; make it first`);
}

async function refuseUnlessEmpty(disk: Disk, folder: string, advice: string): Promise<void> {
  let names: string[] | null;
  try {
    names = await namesIn(disk, folder);
  } catch (cause) {
    if (codeOf(cause) !== 'ENOTDIR') throw cause;
    throw new RecoveryRefused('target-exists', `${folder} is a file. ${advice}`, { cause });
  }
  if (names === null || names.length === 0) return;
  throw new RecoveryRefused(
    'target-exists',
    `${folder} is there already and is not empty (${names.slice(0, 3).join(', ')}). ${advice}`,
  );
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}
