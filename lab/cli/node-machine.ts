import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { FileRefused, type Machine, type PreparedFile } from './machine.ts';

/** The real machine: this process, its terminal and its files. */
export function nodeMachine(): Machine {
  const { stdout, stderr, env } = process;
  return {
    print: (text) => stdout.write(text),
    complain: (text) => stderr.write(text),
    liveColumns: stderr.isTTY && env.TERM !== 'dumb' ? stderr.columns || 80 : null,
    colour: showsColour(stdout.isTTY === true, env),
    now: () => performance.now(),
    readText,
    prepareFile,
    onInterrupt(callback) {
      process.once('SIGINT', callback);
      return () => process.off('SIGINT', callback);
    },
  };
}

/** https://no-color.org and https://force-color.org; an empty variable says nothing. */
export function showsColour(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTerminal && env.TERM !== 'dumb';
}

function readText(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new FileRefused(`${path}: ${whyNotRead(error)}`, { cause: error });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FileRefused(`${path}: found bytes that are no UTF-8 text, expected a scenario in YAML`, {
      cause: error,
    });
  }
}

function whyNotRead(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file';
    case 'EISDIR':
      return 'found a folder, expected a file; name the files in it, for example with *.yaml';
    case 'EACCES':
      return 'no permission to read it';
    default:
      return `it cannot be read (${messageOf(error)})`;
  }
}

function prepareFile(path: string): PreparedFile {
  const aside = `${path}.${process.pid}.partial`;
  let handle: number;
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there?.isDirectory()) throw new FileRefused(`${path}: found a folder, expected a file to write`);
    // A pipe or a device cannot be replaced by renaming; there is nothing to prepare.
    if (there && !there.isFile()) return inPlace(path);
    handle = openSync(aside, 'wx');
  } catch (error) {
    if (error instanceof FileRefused) throw error;
    throw new FileRefused(`${path}: ${whyNotWritten(path, error)}`, { cause: error });
  }
  let settled = false;
  return {
    commit(text) {
      settled = true;
      try {
        writeFileSync(handle, text);
        fsyncSync(handle);
        closeSync(handle);
        renameSync(aside, path);
      } catch (error) {
        rmSync(aside, { force: true });
        throw cannotBeWritten(path, error);
      }
    },
    abandon() {
      if (settled) return;
      settled = true;
      closeSync(handle);
      rmSync(aside, { force: true });
    },
  };
}

function inPlace(path: string): PreparedFile {
  return {
    commit(text) {
      try {
        writeFileSync(path, text);
      } catch (error) {
        throw cannotBeWritten(path, error);
      }
    },
    abandon() {},
  };
}

function cannotBeWritten(path: string, error: unknown): FileRefused {
  return new FileRefused(`${path}: it cannot be written (${messageOf(error)})`, { cause: error });
}

function whyNotWritten(path: string, error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return `there is no folder ${dirname(path)}; make it first`;
    case 'ENOTDIR':
      return `${dirname(path)} is not a folder`;
    case 'EACCES':
    case 'EPERM':
      return `no permission to write in ${dirname(path)}`;
    case 'EROFS':
      return `${dirname(path)} is on a file system that cannot be written`;
    default:
      return `it cannot be written (${messageOf(error)})`;
  }
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
