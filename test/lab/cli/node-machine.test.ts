import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileRefused } from '../../../lab/cli/machine.ts';
import { nodeMachine, showsColour } from '../../../lab/cli/node-machine.ts';
import { temporaryFolder } from './test-machine.ts';

describe('colour', () => {
  it.each([
    ['a terminal', true, {}, true],
    ['a pipe', false, {}, false],
    ['a terminal with NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['a terminal with an empty NO_COLOR', true, { NO_COLOR: '' }, true],
    ['a dumb terminal', true, { TERM: 'dumb' }, false],
    ['a pipe with FORCE_COLOR', false, { FORCE_COLOR: '1' }, true],
    ['a terminal with FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false],
    ['NO_COLOR and FORCE_COLOR', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
  ])('%s', (_, terminal, env, shown) => {
    expect(showsColour(terminal, env)).toBe(shown);
  });
});

describe('a prepared file', () => {
  const { prepareFile } = nodeMachine();

  it('replaces what is there only when it is complete', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.json');
    writeFileSync(path, 'old');
    const prepared = prepareFile(path);
    expect(readFileSync(path, 'utf8')).toBe('old');
    prepared.commit('new');
    prepared.abandon();
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['a.json']);
  });

  it('that is abandoned leaves no trace', () => {
    const folder = temporaryFolder();
    const prepared = prepareFile(join(folder, 'a.json'));
    prepared.abandon();
    prepared.abandon();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that cannot be put in place is refused, and leaves no trace when abandoned', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.json');
    const prepared = prepareFile(path);
    mkdirSync(path);
    expect(() => prepared.commit('text')).toThrow(FileRefused);
    prepared.abandon();
    expect(readdirSync(folder)).toEqual(['a.json']);
    expect(readdirSync(path)).toEqual([]);
  });

  it('may be a device, which is written in place', () => {
    const prepared = prepareFile('/dev/null');
    prepared.commit('text');
    prepared.abandon();
    expect(readdirSync('/dev').filter((name) => name.startsWith('null.'))).toEqual([]);
  });

  it.each([
    [
      'in a folder that is not there',
      'none/a.json',
      /none\/a\.json: there is no folder .*none; make it first$/,
    ],
    ['below a file', 'file/a.json', /file\/a\.json: .*file is not a folder$/],
    ['that is a folder', '.', /: found a folder, expected a file to write$/],
  ])('%s is refused', (_, path, message) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    expect(() => prepareFile(join(folder, path))).toThrow(message);
  });
});

describe('Ctrl-C', () => {
  it('is heard once, and not at all after listening has stopped', () => {
    const before = process.listenerCount('SIGINT');
    const heard: number[] = [];
    const machine = nodeMachine();
    machine.onInterrupt(() => heard.push(1));
    const stop = machine.onInterrupt(() => heard.push(2));
    stop();
    process.emit('SIGINT');
    expect(heard).toEqual([1]);
    // A second one must find nobody, so that it ends the process.
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});
