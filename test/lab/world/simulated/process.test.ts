import { describe, expect, it } from 'vitest';
import { SimulatedProcess } from '../../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../../lab/world/simulated/simulation.ts';

function begin(): {
  simulation: Simulation;
  program: SimulatedProcess;
  seen: string[];
  note: (s: string) => () => void;
} {
  const simulation = new Simulation({ seed: 1 });
  const seen: string[] = [];
  const note = (name: string) => () => {
    seen.push(`${name}@${simulation.nowUs}`);
  };
  return { simulation, program: new SimulatedProcess(simulation, 'n1'), seen, note };
}

describe('a simulated process', () => {
  it('gets what was scheduled for it, when it is due', async () => {
    const { simulation, program, seen, note } = begin();
    program.schedule(5, 'x', 'input', note('x'));
    program.deliver('y', 'input', note('y'));
    await simulation.run();
    expect(seen).toEqual(['y@0', 'x@5']);
    expect(program.state).toBe('running');
  });

  it('gets nothing any more once it is killed', async () => {
    const { simulation, program, seen, note } = begin();
    program.schedule(5, 'x', 'timer', note('x'));
    program.kill();
    program.deliver('y', 'input', note('y'));
    program.schedule(1, 'z', 'input', note('z'));
    await simulation.run();
    expect(seen).toEqual([]);
    expect(program.alive).toBe(false);
  });

  it('gets nothing while it is paused, and all of it afterwards: due timers first, then input, each in order', async () => {
    const { simulation, program, seen, note } = begin();
    program.pause();
    program.schedule(1, 'input 1', 'input', note('input 1'));
    program.schedule(2, 'timer 2', 'timer', note('timer 2'));
    program.schedule(3, 'input 3', 'input', note('input 3'));
    program.schedule(4, 'timer 4', 'timer', note('timer 4'));
    program.schedule(90, 'late', 'timer', note('late'));
    simulation.schedule(50, 'resume', () => {
      expect(seen).toEqual([]);
      program.resume();
      program.resume();
      expect(seen).toEqual([]);
    });
    await simulation.run();
    expect(seen).toEqual(['timer 2@50', 'timer 4@50', 'input 1@50', 'input 3@50', 'late@90']);
  });

  it('is held up again by a pause that comes before what waited has arrived', async () => {
    const { simulation, program, seen, note } = begin();
    program.pause();
    program.deliver('a', 'input', () => {
      note('a')();
      program.pause();
    });
    program.deliver('b', 'input', note('b'));
    program.resume();
    await simulation.run({ atUs: 10 });
    expect(seen).toEqual(['a@0']);
    program.resume();
    await simulation.run();
    expect(seen).toEqual(['a@0', 'b@10']);
  });

  it('loses what waited when it is killed while paused', async () => {
    const { simulation, program, seen, note } = begin();
    program.pause();
    program.deliver('a', 'input', note('a'));
    program.kill();
    await simulation.run();
    expect(seen).toEqual([]);
  });

  it('tells those who asked of its death, once, in order', () => {
    const { program, seen, note } = begin();
    program.onKill(note('first'));
    program.onKill(note('second'));
    program.kill();
    program.kill();
    expect(seen).toEqual(['first@0', 'second@0']);
  });

  it('cannot be paused, resumed or watched when it is dead', () => {
    const { program } = begin();
    program.kill();
    expect(() => program.pause()).toThrow(/n1 is dead/);
    expect(() => program.resume()).toThrow(/n1 is dead/);
    expect(() => program.onKill(() => {})).toThrow(/n1 is dead/);
  });
});
