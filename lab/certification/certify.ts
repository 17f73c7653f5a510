import { SimulatedRandom } from '../world/simulated/random.ts';
import type { Certification, CertificationFailure } from './certification.ts';
import { type Damage, type DamageKind, flips, largeDamages, missingFiles } from './damages.ts';
import { describeRecord, type JournalRecord } from './journal.ts';
import { judgeCrash, judgeDamage, type Verdict } from './judge.ts';
import type { StorageFactory } from './life.ts';
import { Onlooker } from './look.ts';
import { type Recording, record } from './recording.ts';
import { describeWorkload, isUseful, type Step, steps, type Workload } from './workload.ts';
import { asWrong, type Wrong } from './wrong.ts';

export interface CertifyOptions {
  /** The same gives the same states. Default 1. */
  readonly seed?: number;
  /** About how many states of power cuts are tried. Default 5000. */
  readonly crashStates?: number;
  /** About how many states with one damage are tried. Default 5000. */
  readonly damagedStates?: number;
}

/** At one moment; beyond it, a sample. */
const STATES_OF_A_MOMENT = 48;
/** Of one stopped storage while workloads grow, and at the end of a long one. */
const FLIPS_OF_SHORT = 100;
const FLIPS_OF_LONG = 400;
const LONG_STEPS = 8;
const JOURNAL_LINES = 6;

/**
 * Opens a storage in states that a power cut, or one damage, may leave of its disk, and judges what it makes of
 * them: after a power cut, all that was acknowledged and nothing invented, without a word of damage; after a damage
 * the same, or a refusal or recovering state that says so. What it enumerates, and what it does not, is in
 * docs/certification.md.
 *
 * Workloads come by growing length, so the first that fails is as short as any; half of the states are kept for
 * long ones, drawn by the seed.
 *
 * @param factory - makes the storage under certification, which reaches the disk (and databases, clock, chance)
 *   by these doors alone. It is called for each process that opens the storage.
 */
export function certify(factory: StorageFactory, options: CertifyOptions = {}): Promise<Certification> {
  return new Certifier(factory, {
    seed: options.seed ?? 1,
    crashStates: options.crashStates ?? 5000,
    damagedStates: options.damagedStates ?? 5000,
  }).run();
}

/** The first failure, thrown through the search. */
class Failed extends Error {
  readonly failure: CertificationFailure;
  constructor(failure: CertificationFailure) {
    super(failure.found);
    this.failure = failure;
  }
}

class Certifier {
  readonly #factory: StorageFactory;
  readonly #options: Required<CertifyOptions>;
  readonly #random: SimulatedRandom;
  readonly #onlooker: Onlooker;
  #workloads = 0;
  readonly #crashes = { states: 0, moments: 0, completeMoments: 0 };
  #damaged = 0;
  #foundByReading = 0;
  readonly #verdicts: Partial<Record<DamageKind, Partial<Record<Verdict, number>>>> = {};

  readonly #inVain = new Map<string, number>();

  constructor(factory: StorageFactory, options: Required<CertifyOptions>) {
    this.#factory = factory;
    this.#options = options;
    this.#random = SimulatedRandom.fromSeed(options.seed);
    this.#onlooker = new Onlooker(factory, this.#random.stream('onlooker'));
  }

  async run(): Promise<Certification> {
    let failure: CertificationFailure | null = null;
    try {
      await this.#shortOnes();
      await this.#longOnes();
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      failure = error.failure;
    }
    return {
      workloads: this.#workloads,
      disks: this.#onlooker.disks,
      crashes: this.#crashes,
      damages: {
        states: this.#damaged,
        foundByReading: this.#foundByReading,
        verdicts: this.#verdicts,
        inVain: Object.fromEntries(this.#inVain),
      },
      failure,
    };
  }

  async #shortOnes(): Promise<void> {
    const { crashStates, damagedStates } = this.#options;
    for (const workload of byLength()) {
      const crashes = this.#crashes.states < crashStates / 2;
      const damages = this.#damaged < damagedStates / 2;
      if (!crashes && !damages) return;
      const recording = await this.#record(workload);
      if (crashes) await this.#crash(recording);
      if (damages) await this.#damage(recording, FLIPS_OF_SHORT);
    }
  }

  async #longOnes(): Promise<void> {
    const { crashStates, damagedStates } = this.#options;
    for (let number = 1; ; number += 1) {
      const random = this.#random.stream(`workload ${number}`);
      const workload: Step[] = [];
      while (workload.length < LONG_STEPS) {
        const useful = steps.filter((step) => isUseful(workload, step));
        workload.push(useful[random.integer(0, useful.length)] ?? 'append');
        if (this.#crashes.states < crashStates) await this.#crash(await this.#record([...workload]));
      }
      if (this.#damaged < damagedStates) await this.#damage(await this.#record(workload), FLIPS_OF_LONG);
      if (this.#crashes.states >= crashStates && this.#damaged >= damagedStates) return;
    }
  }

  async #record(workload: Workload): Promise<Recording> {
    this.#workloads += 1;
    const { seed } = this.#options;
    const recording = await record(this.#factory, workload, { seed, statesMax: STATES_OF_A_MOMENT });
    if (recording.failure === null) return recording;
    throw failed(recording, 'nothing: it is closed, killed and opened again', recording.failure);
  }

  async #crash(recording: Recording): Promise<void> {
    for (const { position, states, complete, expectation } of recording.moments) {
      this.#crashes.moments += 1;
      if (complete) this.#crashes.completeMoments += 1;
      for (const state of states) {
        this.#crashes.states += 1;
        try {
          judgeCrash(await this.#onlooker.look(state.image), expectation);
        } catch (error) {
          const of = recording.journal.length;
          const struck = `a power cut after record ${position} of ${of} leaves: ${state.describe()}`;
          throw failed(recording, struck, asWrong(error), position);
        }
      }
    }
  }

  async #damage(recording: Recording, flipsMax: number): Promise<void> {
    const random = this.#random.stream(`damage ${describeWorkload(recording.workload)}`);
    for (const how of ['closed', 'killed'] as const) {
      const stopped = recording[how];
      const dispensable = await this.#dispensable(recording, how);
      for (const damage of largeDamages(stopped.image, random)) {
        await this.#judgeDamage(recording, how, { damage, dispensable });
      }
      const left = Math.max(0, this.#options.damagedStates - this.#damaged);
      for (const make of drawn(flips(stopped.image, random), Math.min(flipsMax, left), random)) {
        await this.#judgeDamage(recording, how, { damage: make(), dispensable });
      }
    }
  }

  /** Files without which the storage is whole: to tell of damage in these is of no use, though safe. */
  async #dispensable(recording: Recording, how: 'closed' | 'killed'): Promise<ReadonlySet<string>> {
    const dispensable = new Set<string>();
    for (const damage of missingFiles(recording[how].image)) {
      const verdict = await this.#judgeDamage(recording, how, { damage, dispensable });
      if (verdict === 'clean') dispensable.add(damage.path);
    }
    return dispensable;
  }

  async #judgeDamage(
    recording: Recording,
    how: 'closed' | 'killed',
    { damage, dispensable }: { readonly damage: Damage; readonly dispensable: ReadonlySet<string> },
  ): Promise<Verdict> {
    this.#damaged += 1;
    const { image, kind, path, what } = damage;
    try {
      const look = await this.#onlooker.look(image);
      if (look.isSecond) this.#foundByReading += 1;
      const verdict = judgeDamage(look, recording[how].expectation);
      if (verdict !== 'clean' && dispensable.has(path))
        this.#inVain.set(path, (this.#inVain.get(path) ?? 0) + 1);
      const verdicts = this.#verdicts[kind] ?? {};
      this.#verdicts[kind] = { ...verdicts, [verdict]: (verdicts[verdict] ?? 0) + 1 };
      return verdict;
    } catch (error) {
      throw failed(recording, `${what}, after it was ${how}`, asWrong(error));
    }
  }
}

function failed(
  { workload, journal }: { readonly workload: Workload; readonly journal: readonly JournalRecord[] },
  struck: string,
  { expected, found }: Wrong,
  position = journal.length,
): Failed {
  const from = Math.max(0, position - JOURNAL_LINES);
  const lines = journal
    .slice(from, position)
    .map((one, place) => `${from + place + 1} ${describeRecord(one)}`);
  return new Failed({ workload: describeWorkload(workload), struck, journal: lines, expected, found });
}

/** All workloads, the short ones first. */
function* byLength(): Generator<Workload> {
  let ofLength: Workload[] = [[]];
  while (true) {
    yield* ofLength;
    ofLength = ofLength.flatMap((before) =>
      steps.filter((step) => isUseful(before, step)).map((step) => [...before, step]),
    );
  }
}

function drawn<T>(all: readonly T[], countMax: number, random: SimulatedRandom): T[] {
  if (all.length <= countMax) return [...all];
  const left = [...all];
  return Array.from({ length: countMax }, () => left.splice(random.integer(0, left.length), 1)).flat();
}
