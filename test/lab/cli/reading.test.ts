import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { runProgram } from '../../../lab/cli/program.ts';
import { readingCommand } from '../../../lab/cli/reading-command.ts';
import { nodeDisk } from '../../../src/doors/node-disk.ts';
import { readIdentity, writeIdentity } from '../../../src/storage/disk/identity-file.ts';
import { fileStorage } from '../../../src/storage/index.ts';
import { writeReplicaContent } from '../../fixtures/replica-content.ts';
import { type TestMachine, temporaryFolder, testMachine } from './test-machine.ts';

const backends = ['files', 'level'] as const;
const noRunner = async (): Promise<never> => {
  throw new Error('nothing is to be run');
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function kontiki(...words: string[]): Promise<Ran> {
  const machine = testMachine();
  const code = await runProgram(words, machine, noRunner);
  expect(machine.listening()).toBe(false);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('kontiki-copy-'))).toEqual([]);
  return { code, out: machine.printed.join(''), err: machine.complained.join('') };
}

/** Every folder and file with its time and its bytes. Locks are not read: closing one lets go of it. */
function fingerprint(folder: string): Record<string, string> {
  const found: Record<string, string> = { '': String(statSync(folder).mtimeMs) };
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const bytes = entry.isFile() && entry.name !== 'LOCK' ? readFileSync(path) : '';
    const hash = createHash('sha256').update(bytes).digest('hex');
    found[relative(folder, path)] = `${statSync(path).mtimeMs} ${hash}`;
  }
  return found;
}

/** Runs a command, and makes sure that the directory stays as it was. */
async function reading(directory: string, ...words: string[]): Promise<Ran> {
  const before = fingerprint(directory);
  const ran = await kontiki(...words);
  expect(fingerprint(directory)).toEqual(before);
  return ran;
}

const made = new Map<string, string>();
beforeAll(async () => {
  for (const backend of backends) {
    const folder = join(tmpdir(), `kontiki-reading-${process.pid}-${backend}`);
    await writeReplicaContent(folder, { backend });
    made.set(backend, folder);
  }
  return () => {
    for (const folder of made.values()) rmSync(folder, { recursive: true });
  };
});

/** A stopped replica's directory, to damage. */
function replica(backend: 'files' | 'level'): string {
  const directory = join(temporaryFolder(), 'n1');
  cpSync(made.get(backend) ?? '', directory, { recursive: true });
  return directory;
}

/** The only file whose name ends so, in a folder of the directory. */
function fileIn(directory: string, folder: string, ending: RegExp): string {
  const names = readdirSync(join(directory, folder)).filter((name) => ending.test(name));
  const withBytes = names.filter((name) => statSync(join(directory, folder, name)).size > 0);
  const [name] = withBytes;
  if (name === undefined) throw new Error(`no file ${ending} in ${folder}`);
  return join(directory, folder, name);
}

function change(path: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  edit(bytes);
  writeFileSync(path, bytes);
}

const flip = (path: string, at: number): void =>
  change(path, (bytes) => {
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = (bytes[place] ?? 0) ^ 0x10;
  });

describe.each(backends)('of a replica with backend %s', (backend) => {
  it('inspect tells whose it is, what each group holds, and that all is well', async () => {
    const directory = replica(backend);
    const { code, out, err } = await reading(directory, 'inspect', directory);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.startsWith(`${directory}\n`)).toBe(true);
    expect(out).toMatch(/replica n1, incarnation [0-9a-f]{16}, boot 2, cluster 00000000000000aa; format 2, /);
    expect(out).toContain(`backend ${backend}, 2 shards`);
    for (const line of [
      'group orders (shard 0): clean\n',
      'term 3, voted for n2\n',
      'floor after entry 6 (term 1)\n',
      'log from 7 to 23; terms: 1 from 7, 2 from 8, 3 from 21\n',
      'snapshot of entry 6 (term 1), 1,250 bytes, whole\n',
      'term 7, no vote\n',
      'log from 1 to 3; terms: 7 from 1\n',
      'term 4, voted for n3\n',
      'log empty\n',
    ])
      expect(out).toContain(line);
    expect(out).toMatch(
      /\d blocks? \(\d gzip, \d+\.\d\d times smaller; \d none\), \d\d entries, [\d,]+ bytes/,
    );
    expect(out).not.toContain('DAMAGE');
  });

  it('verify ends with 0, also told as JSON, and the replica opens afterwards', async () => {
    const directory = replica(backend);
    const told = await reading(directory, 'verify', directory);
    expect(told).toMatchObject({ code: 0, err: expect.not.stringContaining('DAMAGE') });
    expect(told.out).toMatch(/: clean \(3 groups, \d+ whole blocks, 1 whole snapshot\)\n$/);
    const { code, out } = await reading(directory, 'verify', directory, '--json');
    expect(code).toBe(0);
    const { directories } = JSON.parse(out);
    expect(directories).toMatchObject([
      { directory, verdict: 'clean', identity: { id: 'n1', boot: 2 }, findings: [] },
    ]);
    expect(directories[0].groups.map(({ group }: { group: string }) => group)).toEqual([
      'orders',
      'users',
      'votes',
    ]);
    await (await fileStorage({ directory, backend, shards: 2 }).open({ id: 'n1' })).close();
  });

  it('inspect --entries shows each entry, and says why others are not there', async () => {
    const directory = replica(backend);
    const words = ['inspect', directory, '--group', 'orders', '--entries'];
    const { code, out, err } = await reading(directory, ...words, '5..25');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toBe(`${directory}, group orders`);
    expect(lines[1]).toBe('5 to 6  not here: a snapshot took their place: the log begins at 7');
    expect(lines[2]).toMatch(
      /^7 {2}term 1 {2}block \d+ {2}command {2}190 bytes {2}0x6f72646572.*\.\.\. and 126 bytes more$/,
    );
    expect(lines.slice(3, 16).every((line) => / term 2 .* command /.test(line))).toBe(true);
    expect(lines[16]).toMatch(/^21 {2}term 3 {2}block \d+ {2}noop {2}0 bytes$/);
    expect(lines[17]).toMatch(/^22 {2}term 3 {2}block \d+ {2}session {2}3 bytes {2}.*0x00ff07$/);
    expect(lines[18]).toMatch(/^23 {2}term 3 .* configuration .*"voters":\[\{"id":"n1"/);
    expect(lines[19]).toBe('24 to 25  not here: the log ends at 23');
    expect(lines).toHaveLength(20);
  });

  it('is refused while a node of this process or another process runs on it, and is not touched', async () => {
    const directory = replica(backend);
    const instance = await fileStorage({ directory, backend, shards: 2 }).open({ id: 'n1' });
    try {
      for (const command of ['inspect', 'verify']) {
        const ran = await reading(directory, command, directory);
        expect(ran).toEqual({
          code: 2,
          out: '',
          err: `${directory} is in use: a replica runs on it. Stop that replica first.\n`,
        });
      }
    } finally {
      await instance.close();
    }
    const other = await lockedByAnother(directory);
    expect(await reading(directory, 'verify', directory)).toMatchObject({ code: 2, err: /in use/ });
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect((await reading(directory, 'verify', directory)).code).toBe(0);
  });

  const damages: [what: string, damage: (directory: string) => void, said: RegExp][] = [
    [
      'a flipped bit in a copy of term and vote',
      (d) => flip(join(d, 'hard-state-1'), 20),
      /hard-state-1: the copy .* slot 0 is damaged; the other one is whole/,
    ],
    [
      'both copies of term and vote flipped',
      (d) => {
        flip(join(d, 'hard-state-1'), 20);
        flip(join(d, 'hard-state-2'), 20);
      },
      /term and vote are lost/,
    ],
    [
      'a zeroed copy of term and vote',
      (d) => change(join(d, 'hard-state-2'), (bytes) => bytes.fill(0)),
      /hard-state-2: .* is gone/,
    ],
    [
      'a copy of term and vote cut to nothing',
      (d) => truncateSync(join(d, 'hard-state-2'), 0),
      /hard-state-2: .* is gone/,
    ],
    [
      'a missing copy of term and vote',
      (d) => rmSync(join(d, 'hard-state-1')),
      /the file hard-state-1 is missing/,
    ],
    [
      'both copies of term and vote missing',
      (d) => {
        rmSync(join(d, 'hard-state-1'));
        rmSync(join(d, 'hard-state-2'));
      },
      /group orders: term and vote are lost/,
    ],
    [
      'a flipped bit in the mark',
      (d) => flip(join(d, 'mark'), 20),
      /mark: what it says in slot 0 .* is damaged/,
    ],
    ['no mark', (d) => rmSync(join(d, 'mark')), /the file mark is missing/],
    [
      'a flipped bit in the floor',
      (d) => flip(join(d, 'floor-orders'), -3),
      /group orders: the floor file is damaged or missing/,
    ],
    [
      'no floor',
      (d) => rmSync(join(d, 'floor-orders')),
      /group orders: the floor file is damaged or missing/,
    ],
    [
      'a flipped bit in a snapshot',
      (d) => flip(fileIn(d, 'snapshots-orders', /snapshot$/), -5),
      /is damaged: its digest is wrong/,
    ],
    [
      'a flipped bit in the record of a snapshot',
      (d) => flip(fileIn(d, 'snapshots-orders', /snapshot$/), 30),
      /is damaged: its record cannot be read/,
    ],
    [
      'a snapshot cut short',
      (d) => truncateSync(fileIn(d, 'snapshots-orders', /snapshot$/), 66_000),
      /is damaged: it ends at byte 464 of 1250/,
    ],
    [
      'no snapshot',
      (d) => rmSync(join(d, 'snapshots-orders'), { recursive: true }),
      /the log begins after entry 6, and there is no whole snapshot/,
    ],
    [
      'a shard removed',
      (d) => rmSync(join(d, 'shard-0'), { recursive: true }),
      /shard-0 is missing, and with it all of its blocks/,
    ],
    [
      'an emptied shard',
      (d) => {
        rmSync(join(d, 'shard-0'), { recursive: true });
        mkdirSync(join(d, 'shard-0'));
      },
      /group orders: missing or changed at the end of the log: blocks? /,
    ],
    ['a flipped bit in the identity', (d) => flip(join(d, 'identity'), 20), /the identity file is damaged/],
    ['no identity', (d) => rmSync(join(d, 'identity')), /the identity file is missing, but there is a log/],
    ...(backend === 'files' ? segmentDamages : databaseDamages),
  ];
  it.each(damages)('verify ends with 1 and says what is wrong: %s', async (_, damage, said) => {
    const directory = replica(backend);
    damage(directory);
    const { code, out } = await reading(directory, 'verify', directory);
    expect(out).toMatch(said);
    expect(code).toBe(1);
    const inspected = await reading(directory, 'inspect', directory);
    expect(inspected).toMatchObject({ code: 0, err: '' });
    expect(inspected.out).toMatch(said);
  });
});

const segment = (directory: string): string => fileIn(directory, 'shard-0', /\.blocks$/);

const segmentDamages: [string, (directory: string) => void, RegExp][] = [
  [
    'a flipped bit in a block below the floor',
    (d) => flip(segment(d), 300),
    /shard 0, group orders: block 1 was changed after it was written; it is no part of the log any more/,
  ],
  [
    'a flipped bit in a block',
    (d) => flip(segment(d), 800),
    /shard 0, group orders: missing or changed in the middle of the log: entries \d+ to \d+ \(block \d\)/,
  ],
  ['a flipped bit in the last block', (d) => flip(segment(d), -2), /shard 0, group orders: /],
  [
    'a zeroed range',
    (d) => change(segment(d), (bytes) => bytes.fill(0, 250, 700)),
    /shard 0, group orders: block 1 was changed after it was written; it is no part of the log any more/,
  ],
  [
    'a segment cut short',
    (d) => truncateSync(segment(d), 600),
    /shard 0, group orders: missing or changed at the end of the log: blocks \d to \d/,
  ],
];

const databaseDamages: [string, (directory: string) => void, RegExp][] = [
  [
    'a database that names no manifest',
    (d) => writeFileSync(join(d, 'shard-0', 'CURRENT'), 'no database'),
    /the database in shard-0 cannot be read/,
  ],
  [
    'a table that is missing',
    (d) => rmSync(fileIn(d, 'shard-0', /\.ldb$/)),
    /the database in shard-0 cannot be read, .*: .*missing files.*shard-0/,
  ],
  [
    "a flipped bit in the database's log",
    (d) => flip(fileIn(d, 'shard-0', /\.log$/), 100),
    /shard 0, group orders: missing or changed/,
  ],
  [
    'a log that is cut to nothing',
    (d) => truncateSync(fileIn(d, 'shard-0', /\.log$/), 0),
    /shard 0, group orders: missing or changed at the end/,
  ],
  [
    'a zeroed table',
    (d) => change(fileIn(d, 'shard-0', /\.ldb$/), (bytes) => bytes.fill(0)),
    /the database in shard-0 cannot be read/,
  ],
];

describe('a segment of which one bit is flipped, anywhere', () => {
  it('is never taken for whole', async () => {
    const directory = replica('files');
    const path = segment(directory);
    const { size } = statSync(path);
    for (let at = 0; at < size; at += 23) {
      flip(path, at);
      const { code, out } = await kontiki('verify', directory);
      // What can still be named is named by its group; else it is known to be some block of the shard.
      expect(out, `byte ${at}`).toMatch(/group orders: |bytes in shard-0 belong to no block/);
      expect(code, `byte ${at}`).toBe(1);
      flip(path, at);
    }
    expect((await kontiki('verify', directory)).code).toBe(0);
  });
});

describe('what a crash leaves', () => {
  it('is a note, and no damage: a torn end and an unfinished snapshot', async () => {
    const directory = replica('files');
    rmSync(join(directory, 'mark'));
    cpSync(join(made.get('files') ?? '', 'mark'), join(directory, 'mark'));
    const bytes = readFileSync(segment(directory));
    writeFileSync(segment(directory), Buffer.concat([bytes, bytes.subarray(0, 50)]));
    writeFileSync(
      join(directory, 'snapshots-orders', '0000000000000009-0000000000000002.snapshot.1.new'),
      'half',
    );
    const { code, out } = await reading(directory, 'verify', directory);
    expect(code).toBe(0);
    expect(out).toContain(
      'note: shard 0: bytes in shard-0 belong to no block that can be named: what an interrupted write',
    );
    expect(out).toContain('snapshot.1.new is left of a snapshot that was not finished');
  });

  it('is a note, and no damage: a storage that was to be emptied', async () => {
    const directory = replica('files');
    const found = await readIdentity(nodeDisk(), directory);
    if (found.kind !== 'found') throw new Error('no identity');
    await writeIdentity(nodeDisk(), directory, {
      ...found.identity,
      boot: 0,
      incarnation: '00000000000000cc',
    });
    const { code, out } = await reading(directory, 'verify', directory);
    expect(code).toBe(0);
    expect(out).toContain(
      'note: the storage is to be emptied, and nothing in it counts; opening it does that',
    );
  });
});

describe('the entries of a damaged log', () => {
  it('are shown as far as blocks are whole, with what is missing between them', async () => {
    const directory = replica('files');
    flip(segment(directory), -2);
    const { code, out } = await reading(
      directory,
      'inspect',
      directory,
      '--entries',
      '7..30',
      '--group',
      'orders',
    );
    expect(code).toBe(0);
    expect(out).toMatch(/\n21 {2}term 3 .*\n22 to 30 {2}not here: no whole block has them\n$/);
  });
});

describe('several directories', () => {
  it('are all read, whatever is wrong with one, and the worst decides', async () => {
    const [whole, damaged] = [replica('files'), replica('level')];
    flip(join(damaged, 'mark'), 20);
    const both = await kontiki('verify', whole, damaged);
    expect(both.code).toBe(1);
    expect(both.out).toMatch(new RegExp(`^${whole}: clean .*\n${damaged}: DAMAGED, 1 finding `));
    const none = join(dirname(whole), 'none');
    const all = await kontiki('verify', damaged, none, whole);
    expect(all.code).toBe(2);
    expect(all.err).toContain(`${none}: there is no such directory\n`);
    expect(all.out).toContain(`${whole}: clean`);
    const { out, code } = await kontiki('verify', damaged, none, whole, '--json');
    expect(code).toBe(2);
    expect(JSON.parse(out).directories).toMatchObject([
      { directory: damaged, verdict: 'damaged', findings: [{ kind: 'damage', file: 'mark' }] },
      { directory: none, verdict: 'refused', reason: 'not-a-storage' },
      { directory: whole, verdict: 'clean' },
    ]);
  });
});

describe('what cannot be read', () => {
  it.each(['inspect', 'verify'])(
    '%s says what is there instead of a directory of a replica',
    async (command) => {
      const directory = replica('files');
      const above = dirname(directory);
      const refused = async (path: string): Promise<string> => {
        const { code, out, err } = await kontiki(command, path);
        expect({ code, out }).toEqual({ code: 2, out: '' });
        return err;
      };
      expect(await refused(join(above, 'none'))).toBe(`${join(above, 'none')}: there is no such directory\n`);
      expect(await refused(join(directory, 'mark'))).toContain(
        'mark is a file. Name the directory that fileStorage was given.',
      );
      mkdirSync(join(above, 'empty'));
      expect(await refused(join(above, 'empty'))).toContain('empty is empty: no replica ever ran on it');
      expect(await refused(join(directory, 'shard-0'))).toMatch(
        /shard-0 is no directory of a replica: it has no identity file, but 0+1.blocks. Check the path/,
      );
      expect(await refused(above)).toContain(`Did you mean ${directory}?`);
      expect(readdirSync(join(above, 'empty'))).toEqual([]);
    },
  );

  it.each(backends)('a format from the future is refused, with the versions named (%s)', async (backend) => {
    const directory = replica(backend);
    const found = await readIdentity(nodeDisk(), directory);
    if (found.kind !== 'found') throw new Error('no identity');
    await writeIdentity(nodeDisk(), directory, { ...found.identity, format: 9 });
    const { code, err } = await reading(directory, 'verify', directory);
    expect(code).toBe(2);
    expect(err).toBe(
      `${directory} has format 9; this version reads format 2. Use the version that wrote it.\n`,
    );
  });

  it('a directory without permission is refused, and one without the right to write is read', async () => {
    const directory = replica('files');
    const folder = dirname(directory);
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o555 : 0o444);
    }
    onTestFinished(() => {
      for (const entry of [
        folder,
        directory,
        ...readdirSync(directory).map((name) => join(directory, name)),
      ]) {
        if (statSync(entry).isDirectory()) chmodSync(entry, 0o755);
      }
    });
    chmodSync(folder, 0o755);
    const isRoot = process.getuid?.() === 0;
    const unprivileged = async (...words: string[]): Promise<Ran> => {
      if (!isRoot) return reading(directory, ...words);
      process.seteuid?.(65_534);
      try {
        return await reading(directory, ...words);
      } finally {
        process.seteuid?.(0);
      }
    };
    expect(await unprivileged('verify', directory)).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /cannot be read: .*ermission denied.*lock\/LOCK writable too.*Do it as the user of the replica/,
      ),
    });
    const lock = join(directory, 'lock', 'LOCK');
    chmodSync(lock, 0o600);
    if (isRoot) chownSync(lock, 65_534, -1);
    expect((await unprivileged('verify', directory)).code).toBe(0);
    chmodSync(join(directory, 'mark'), 0o000);
    if (isRoot) return;
    expect(await kontiki('verify', directory)).toMatchObject({
      code: 2,
      err: expect.stringContaining('mark'),
    });
  });

  it.each([
    [['inspect'], "missing required argument 'directories'"],
    [['verify'], "missing required argument 'directories'"],
    [['verify', 'd', '--fix'], "unknown option '--fix'"],
    [['inspect', 'd', '--entries', '5'], '--entries: found "5", expected <from>..<to>'],
    [['inspect', 'd', '--entries', '0..4'], '--entries: found "0..4"'],
    [['inspect', 'd', '--entries', '9..4'], '--entries: found "9..4"'],
    [['inspect', 'd', '--group', 'a'], '--group: found without --entries'],
  ])('%j is refused with 2', async (words, message) => {
    const { code, out, err } = await kontiki(...words);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });

  it('asks for a group where there are several, and names them', async () => {
    const directory = replica('files');
    for (const words of [[], ['--group', 'others']]) {
      const { code, err } = await kontiki('inspect', directory, '--entries', '1..2', ...words);
      expect(code).toBe(2);
      expect(err).toMatch(/orders, users, votes.*--group/);
    }
  });

  it.each(['inspect', 'verify'])('%s has a help that shows how, and the exit codes', async (command) => {
    const { code, out } = await kontiki(command, '--help');
    expect(code).toBe(0);
    expect(out).toMatch(/Exit code: 0 /);
    expect(out).toContain(`  kontiki ${command} data/n1 data/n2`);
    expect(out).toContain('TMPDIR');
  });
});

describe('a command that reads directories', () => {
  const read = async (failing: (machine: TestMachine) => void): Promise<Ran & { removed: boolean }> => {
    const machine = testMachine();
    let copies = '';
    const code = await readingCommand(['a', 'b'], machine, {
      read: async (_, { scratch, signal }) => {
        copies = dirname(scratch);
        expect(existsSync(copies)).toBe(true);
        failing(machine);
        signal?.throwIfAborted();
      },
      finished: () => 0,
    });
    expect(machine.listening()).toBe(false);
    return { code, out: '', err: machine.complained.join(''), removed: !existsSync(copies) };
  };

  it('ends with 130 on Ctrl-C, and leaves no copy', async () => {
    const ran = await read((machine) => machine.interrupt());
    expect(ran).toEqual({ code: 130, out: '', err: 'Interrupted.\n', removed: true });
  });

  it('ends with 3 when the disk fails, and leaves no copy', async () => {
    const ran = await read(() => {
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    });
    expect(ran).toEqual({ code: 3, out: '', err: 'a: EIO: i/o error, read\n', removed: true });
  });
});

async function lockedByAnother(directory: string): Promise<ChildProcess> {
  const program = `
    const { Level } = require('level');
    new Level(${JSON.stringify(join(directory, 'lock'))}).open().then(() => process.stdout.write('holds'));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = await once(child.stdout, 'data');
  expect(`${said} ${basename(directory)}`).toBe('holds n1');
  return child;
}
