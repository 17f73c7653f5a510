import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { offlineCommand } from '../../../lab/cli/offline-command.ts';
import { runProgram } from '../../../lab/cli/program.ts';
import { nodeDisk } from '../../../src/doors/node-disk.ts';
import { fileStorage } from '../../../src/storage/index.ts';
import {
  backupOf,
  CLUSTER,
  doorsOn,
  logOf,
  openReplica,
  writeReplica,
} from '../../storage/offline/replicas.ts';
import { type TestMachine, temporaryFolder, testMachine } from './test-machine.ts';

const doors = doorsOn(nodeDisk());
const noRunner = async (): Promise<never> => {
  throw new Error('nothing is to be run');
};

async function kontiki(
  ...words: string[]
): Promise<{ code: number; out: string; err: string; machine: TestMachine }> {
  const machine = testMachine();
  const code = await runProgram(words, machine, noRunner);
  return { code, out: machine.printed.join(''), err: machine.complained.join(''), machine };
}

function backupFile(): { folder: string; file: string } {
  const folder = temporaryFolder();
  const file = join(folder, 'monday.backup');
  writeFileSync(file, backupOf('the state'), { mode: 0o400 });
  return { folder, file };
}

const two = ['--member', 'm1=10.0.0.1:7001', '--member', 'm2=[::1]:7001'];

describe('kontiki restore', () => {
  it('makes the members, and says which, where, and how to go on', async () => {
    const { folder, file } = backupFile();
    const out = join(folder, 'new');
    const { code, out: printed, err, machine } = await kontiki('restore', file, '--out', out, ...two);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { identity, content } = await openReplica(doors, join(out, 'm2'), { id: 'm2' });
    expect(content).toBe('the state');
    expect(printed).toContain(`Restored the state after entry 42 (term 7) of cluster ${CLUSTER}, 9 bytes.`);
    expect(printed).toContain(`Cluster ${identity.clusterId} is made.`);
    expect(printed).toContain(`m2  at [::1]:7001  ${out}/m2  (incarnation ${identity.incarnation})`);
    expect(printed).toContain("fileStorage({ directory, backend: 'files' })");
    expect(machine.listening()).toBe(false);
  });

  it('takes the backend and the shards that the members will be started with', async () => {
    const { folder, file } = backupFile();
    const out = join(folder, 'new');
    const settings = ['--backend', 'level', '--shards', '4'];
    const { code, out: printed } = await kontiki('restore', file, '--out', out, ...two, ...settings);
    expect(code).toBe(0);
    expect(printed).toContain("fileStorage({ directory, backend: 'level', shards: 4 })");
    expect(
      (await openReplica(doors, join(out, 'm1'), { id: 'm1', backend: 'level', shards: 4 })).content,
    ).toBe('the state');
  });

  it('refuses all mistakes in its arguments together, and makes nothing', async () => {
    const { folder, file } = backupFile();
    const wrong = ['--member', 'm1', '--member', 'm2=nowhere', '--member', 'm3=a:0', '--shards', 'x'];
    const out = join(folder, 'new');
    const { code, err } = await kontiki('restore', file, '--out', out, ...wrong, '--backend', 'rocks');
    expect(code).toBe(2);
    for (const mistake of [
      '--member: found "m1", expected <id>=<host:port>',
      '--member m2: "nowhere" is no address',
      '--member m3: others cannot reach port 0',
      '--backend: found "rocks", expected files or level',
      '--shards: found "x", expected 1 to 64',
      'Nothing was made. `kontiki restore --help` shows how.',
    ])
      expect(err).toContain(mistake);
    expect(readdirSync(folder)).toEqual(['monday.backup']);
  });

  it.each([
    [['restore', '--out', 'o', ...two], "missing required argument 'backup'"],
    [['restore', 'b'], "required option '--out <dir>' not specified"],
    [['restore', 'b', '--out', 'o'], "required option '--member <id=host:port>' not specified"],
    [['restore', 'b', 'c', '--out', 'o', ...two], 'too many arguments'],
    [['restore', 'none', '--out', 'o', ...two], 'none: there is no such file'],
    [['recover', '--out', 'o', ...two], "missing required argument 'directories'"],
    [['recover', 'none', '--out', 'o', ...two], 'none is no directory of a replica'],
    [['recover', 'none', '--out', 'o', '--member', 'x'], 'expected <id>=<host:port>'],
    [['recover', 'none', '--out', 'o', '--force', ...two], "unknown option '--force'"],
  ])('%j is refused with 2', async (words, message) => {
    const { code, out, err } = await kontiki(...words);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
  });

  it('refuses a target that is there', async () => {
    const { folder, file } = backupFile();
    mkdirSync(join(folder, 'new'));
    writeFileSync(join(folder, 'new', 'precious'), '');
    const { code, err } = await kontiki('restore', file, '--out', join(folder, 'new'), ...two);
    expect(code).toBe(2);
    expect(err).toContain('is there already and is not empty (precious)');
    expect(readdirSync(folder).sort()).toEqual(['monday.backup', 'new']);
  });

  it.each(['restore', 'recover'])('%s has a help that shows how, and the exit codes', async (command) => {
    const { code, out } = await kontiki(command, '--help');
    expect(code).toBe(0);
    expect(out).toContain('Exit code: 0 done, 2 refused, 3 the disk failed');
    expect(out).toContain(`kontiki ${command} `);
  });
});

describe('kontiki recover', () => {
  /** Directories of n1 and n2, whose logs part; that of n3 is damaged. */
  async function survivors(): Promise<{ folder: string; words: string[] }> {
    const folder = temporaryFolder();
    const of = (id: string): string => join(folder, id);
    await writeReplica(doors, of('n1'), { id: 'n1', entries: logOf([1, 1, 2, 2]) });
    const snapshot = { index: 2, term: 1, content: 'the state at 2', floor: false };
    await writeReplica(doors, of('n2'), { id: 'n2', entries: logOf([1, 1, 2, 3, 3]), term: 4, snapshot });
    await writeReplica(doors, of('n3'), { id: 'n3', entries: logOf([1, 1]) });
    writeFileSync(join(of('n3'), 'floor-default'), 'nothing');
    return { folder, words: ['recover', of('n1'), of('n2'), of('n3'), '--out', of('new'), ...two] };
  }

  it('gives its account, changes nothing, and ends with 4; with the phrase it goes on', async () => {
    const { folder, words } = await survivors();
    const told = await kontiki(...words);
    expect({ code: told.code, err: told.err }).toEqual({ code: 4, err: '' });
    expect(readdirSync(folder).sort()).toEqual(['n1', 'n2', 'n3']);
    for (const line of [
      `Recovery of cluster ${CLUSTER}, group default.`,
      `${folder}/n2: n2, incarnation `,
      'term 4, voted for n2; log from 1 to 5, its last entry of term 3',
      'snapshot of entry 2 (term 1), 14 bytes',
      `damaged, and left out: ${folder}/n3: shard 0, group default: the floor file is damaged`,
      `${folder}/n2: of the logs that hold what every snapshot proves committed`,
      '5 of term 3, is the latest',
      'It does not hold everything that the others hold; see below.',
      'compare 5 with the last raft_commit_index',
      `- Entries 4 to 4 (last of term 2) of ${folder}/n1, in whose place`,
      `recover from ${folder}/n1 alone`,
      `- What ${folder}/n3 alone holds: it is damaged. Keep it.`,
      '- 3 entries after entry 2, up to 5.',
      'OutcomeUnknown may be applied after all',
      'Nothing was changed.',
    ])
      expect(told.out).toContain(line);
    const phrase = /--confirm (\S+)\n$/.exec(told.out)?.[1] ?? '';

    const wrong = await kontiki(...words, '--confirm', 'yes');
    expect(wrong.code).toBe(4);
    expect(wrong.out).toContain('--confirm yes is not the phrase of this account. Nothing was changed.');
    expect(readdirSync(folder).sort()).toEqual(['n1', 'n2', 'n3']);

    const done = await kontiki(...words, '--confirm', phrase);
    expect({ code: done.code, err: done.err }).toEqual({ code: 0, err: '' });
    const found = await openReplica(doors, join(folder, 'new', 'm1'), { id: 'm1' });
    expect(found).toMatchObject({ content: 'the state at 2', recovered: { lastIndex: 5 } });
    expect(done.out).toContain(`Cluster ${found.identity.clusterId} is made.`);
    expect(done.out).toContain('What may be lost');
  });

  it('refuses a directory that a replica runs on', async () => {
    const { folder, words } = await survivors();
    const instance = await fileStorage({ directory: join(folder, 'n2') }).open({ id: 'n2' });
    try {
      const { code, err } = await kontiki(...words);
      expect(code).toBe(2);
      expect(err).toContain(`${folder}/n2 is in use: a replica runs on it`);
    } finally {
      await instance.close();
    }
  });
});

describe('a command that makes directories', () => {
  it('ends with 130 on Ctrl-C, once it has cleaned up, and listens no more', async () => {
    const machine = testMachine();
    const code = await offlineCommand('restore', machine, async (signal) => {
      machine.interrupt();
      signal.throwIfAborted();
      return 0;
    });
    expect(code).toBe(130);
    expect(machine.complained.join('')).toBe('Interrupted. Nothing was made.\n');
    expect(machine.listening()).toBe(false);
  });

  it('ends with 3 when the disk fails', async () => {
    const machine = testMachine();
    const code = await offlineCommand('restore', machine, async () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    });
    expect(code).toBe(3);
    expect(machine.complained.join('')).toContain('no space left on device');
  });
});
