import { statfs } from 'node:fs/promises';

const names = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlayfs'],
  [0x2fc12fc1, 'zfs'],
]);
const MEMORY = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
]);

/** On which kind a folder lies. @throws Error when it is kept in memory: there is no disk to measure then. */
export async function fileSystemOf(directory: string): Promise<string> {
  const { type } = await statfs(directory);
  const memory = MEMORY.get(type);
  if (memory !== undefined) throw new Error(`${directory} is on ${memory}, which is no disk to be measured`);
  return names.get(type) ?? `file system 0x${type.toString(16)}`;
}
