import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SECTOR_BYTES = 512;

/** Bytes that were written since the machine or the process began; null where the system does not tell. */
export interface BytesWritten {
  /** Handed over by this process in write calls, to files and to whatever else: `wchar` of /proc/self/io. */
  readonly handedOver: number | null;
  /** Of the pages that this process made dirty: `write_bytes` of /proc/self/io. */
  readonly dirtied: number | null;
  /** By the device that the directory is on, for every program, and for the file system itself. */
  readonly device: number | null;
}

export function bytesWritten(directory: string): BytesWritten {
  const own = textOf('/proc/self/io');
  const field = (name: string): number | null => {
    const value = new RegExp(`^${name}: (\\d+)$`, 'm').exec(own ?? '')?.[1];
    return value === undefined ? null : Number(value);
  };
  return { handedOver: field('wchar'), dirtied: field('write_bytes'), device: deviceBytes(directory) };
}

/** Of what lies below a directory, as the disk keeps it: whole blocks, also of files that are not full yet. */
export function bytesBelow(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    // What was listed may be removed by now.
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) continue;
    bytes += found.isDirectory() ? bytesBelow(path) : found.blocks * SECTOR_BYTES;
  }
  return bytes;
}

/** The seventh number of a device's line is the sectors that it wrote. */
function deviceBytes(directory: string): number | null {
  const { dev } = statSync(directory);
  // As Linux has it in user space: twelve bits of the major number above the lowest eight of the minor one.
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  const sectors = textOf(`/sys/dev/block/${major}:${minor}/stat`)?.trim().split(/\s+/)[6];
  return sectors === undefined ? null : Number(sectors) * SECTOR_BYTES;
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
