import type { SimulatedRandom } from '../world/simulated/random.ts';
import type { DatabaseImage, Image } from './image.ts';
import { describeRecord } from './journal.ts';
import { imageOf, type Medium, type MediumFolder, type MediumNode, type NameChange } from './medium.ts';
import type { MediumFile } from './medium-file.ts';
import { outcomesOf } from './torn-write.ts';

export interface CrashState {
  readonly image: Image;
  /** What became of each thing that was not synced. */
  describe(): string;
}

export interface CrashStates {
  readonly states: readonly CrashState[];
  /** Every one there is; else a sample. */
  readonly complete: boolean;
}

/** Up to so many unsynced changes of names in one folder, every subset of them may have happened. */
const EVERY_SUBSET_UP_TO = 4;
/** Of one file at one moment. */
const CONTENTS_MAX = 48;

/** One thing that a power cut decides, apart from all others. The first choice keeps nothing, the last all. */
interface Decision {
  readonly choices: number;
  describe(choice: number): string;
}

/**
 * What a power cut may leave of a medium at this moment. All that was synced is there. Of each file any of its
 * unsynced writes is there, wholly or torn; of each folder any subset of its changes of names, since file systems
 * reorder them; of each database a prefix of its unsynced batches. When that makes more than `statesMax`, a
 * sample is taken: nothing kept, all kept, each thing alone lost or kept, and what chance adds.
 */
export function crashStates(medium: Medium, random: SimulatedRandom, statesMax: number): CrashStates {
  const files = [...medium.unsyncedFiles].map((file) => new FileDecision(file, random));
  const names = nameDecisions(medium);
  const databases = [...medium.databases]
    .filter(([, { unsynced }]) => unsynced > 0)
    .map(([path, database]) => new DatabaseDecision(path, (kept) => database.image(kept), database.unsynced));
  const decisions: Decision[] = [...files, ...names, ...databases];
  const vectors = choicesOf(decisions, random, statesMax);
  const states = vectors.map((vector): CrashState => {
    const choiceOf = new Map(decisions.map((decision, place) => [decision, vector[place] ?? 0]));
    const contents = new Map(files.map((file) => [file.file, file.contents[choiceOf.get(file) ?? 0]]));
    const overlay = new Map<MediumFolder, Map<string, MediumNode>>();
    const happened = names.flatMap((decision) => decision.happened(choiceOf.get(decision) ?? 0));
    for (const { steps } of happened.sort((a, b) => a.number - b.number)) {
      for (const { folder, name, node } of steps) {
        let now = overlay.get(folder);
        if (now === undefined) {
          now = new Map(folder.durable);
          overlay.set(folder, now);
        }
        if (node === null) now.delete(name);
        else now.set(name, node);
      }
    }
    const image = imageOf({
      folder: medium.root,
      namesOf: (folder) => overlay.get(folder) ?? folder.durable,
      bytesOf: (file) => contents.get(file) ?? file.durable,
      databases: [...medium.databases].map(([path, database]) => {
        const decision = databases.find((one) => one.path === path);
        return [path, decision?.imageOf(choiceOf.get(decision) ?? 0) ?? database.image(0)];
      }),
    });
    return { image, describe: () => describe(decisions, vector) };
  });
  return { states, complete: vectors.length === productOf(decisions) };
}

/** Every vector of choices, or a sample of them, each once. */
function choicesOf(
  decisions: readonly Decision[],
  random: SimulatedRandom,
  statesMax: number,
): readonly (readonly number[])[] {
  if (productOf(decisions) <= statesMax) {
    return decisions.reduce<number[][]>(
      (vectors, { choices }) =>
        vectors.flatMap((vector) => Array.from({ length: choices }, (_, choice) => [...vector, choice])),
      [[]],
    );
  }
  const vectors = new Map<string, readonly number[]>();
  const add = (vector: readonly number[]): void => {
    if (vectors.size < statesMax) vectors.set(vector.join(), vector);
  };
  const [none, all] = [decisions.map(() => 0), decisions.map(({ choices }) => choices - 1)];
  for (const base of [none, all]) add(base);
  for (const base of [none, all]) {
    for (const [place, { choices }] of decisions.entries()) {
      for (let choice = 0; choice < choices; choice += 1) add(base.with(place, choice));
    }
  }
  for (let tries = 0; vectors.size < statesMax && tries < 2 * statesMax; tries += 1) {
    add(decisions.map(({ choices }) => random.integer(0, choices)));
  }
  return [...vectors.values()];
}

function productOf(decisions: readonly Decision[]): number {
  return decisions.reduce((product, { choices }) => product * choices, 1);
}

function describe(decisions: readonly Decision[], vector: readonly number[]): string {
  if (decisions.length === 0) return 'everything was synced';
  return decisions.map((decision, place) => decision.describe(vector[place] ?? 0)).join('; ');
}

class FileDecision implements Decision {
  readonly file: MediumFile;
  readonly contents: readonly Uint8Array[];
  /** As of this moment: the file goes on. */
  readonly #durable: Uint8Array;
  readonly #cached: Uint8Array;

  constructor(file: MediumFile, random: SimulatedRandom) {
    this.file = file;
    this.#durable = file.durable;
    this.#cached = file.cached;
    let contents = [file.durable];
    for (const change of file.unsynced) {
      contents = distinct(contents.flatMap((bytes) => outcomesOf(bytes, change)));
      contents = sample(contents, file.cached, random);
    }
    // All kept comes last, and only once.
    this.contents = [...contents.filter((bytes) => !isSame(bytes, file.cached)), file.cached];
  }

  get choices(): number {
    return this.contents.length;
  }

  describe(choice: number): string {
    const { path } = this.file;
    const bytes = this.contents[choice];
    if (bytes === this.#cached) return `${path} as written`;
    if (bytes === undefined || bytes === this.#durable) return `${path} without its unsynced writes`;
    return `${path} torn: ${bytes.length} of ${this.#cached.length} bytes, ${differences(bytes, this.#cached)}`;
  }
}

class NameDecision implements Decision {
  readonly #changes: readonly NameChange[];
  readonly #subsets: readonly (readonly number[])[];

  constructor(changes: readonly NameChange[]) {
    this.#changes = changes;
    this.#subsets = subsetsOf(changes.length);
  }

  get choices(): number {
    return this.#subsets.length;
  }

  happened(choice: number): NameChange[] {
    return (this.#subsets[choice] ?? []).flatMap((place) => this.#changes[place] ?? []);
  }

  describe(choice: number): string {
    const happened = this.happened(choice);
    return this.#changes
      .map(
        (change) =>
          `'${describeRecord(change.record)}' ${happened.includes(change) ? 'happened' : 'did not happen'}`,
      )
      .join('; ');
  }
}

class DatabaseDecision implements Decision {
  readonly path: string;
  readonly choices: number;
  readonly #image: (kept: number) => DatabaseImage;

  constructor(path: string, image: (kept: number) => DatabaseImage, unsynced: number) {
    this.path = path;
    this.#image = image;
    this.choices = unsynced + 1;
  }

  imageOf(choice: number): DatabaseImage {
    return this.#image(choice);
  }

  describe(choice: number): string {
    return `database ${this.path} with ${choice} of its ${this.choices - 1} unsynced batches`;
  }
}

function nameDecisions({ unsyncedNames }: Medium): NameDecision[] {
  const byFolder = new Map<MediumFolder | undefined, NameChange[]>();
  for (const change of unsyncedNames) {
    const folder = change.steps[0]?.folder;
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), change]);
  }
  return [...byFolder.values()].map((changes) => new NameDecision(changes));
}

/** The empty one first, the whole last; of many places, the prefixes and those that lack one. */
function subsetsOf(count: number): number[][] {
  const places = Array.from({ length: count }, (_, place) => place);
  if (count <= EVERY_SUBSET_UP_TO) {
    return Array.from({ length: 2 ** count }, (_, bits) => places.filter((place) => (bits >> place) & 1));
  }
  const prefixes = Array.from({ length: count }, (_, length) => places.slice(0, length));
  const lackOne = places.slice(0, -1).map((lost) => places.filter((place) => place !== lost));
  return [...prefixes, ...lackOne, places];
}

function distinct(contents: readonly Uint8Array[]): Uint8Array[] {
  const seen = new Map<string, Uint8Array>();
  for (const bytes of contents) {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    if (!seen.has(key)) seen.set(key, bytes);
  }
  return [...seen.values()];
}

function sample(contents: Uint8Array[], whole: Uint8Array, random: SimulatedRandom): Uint8Array[] {
  if (contents.length <= CONTENTS_MAX) return contents;
  const kept = contents.filter((bytes, place) => place === 0 || isSame(bytes, whole));
  const others = contents.filter((bytes) => !kept.includes(bytes));
  while (kept.length < CONTENTS_MAX && others.length > 0) {
    kept.push(...others.splice(random.integer(0, others.length), 1));
  }
  return kept;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && Buffer.compare(a, b) === 0);
}

function differences(bytes: Uint8Array, whole: Uint8Array): string {
  const places = [...whole.keys()].filter((at) => bytes[at] !== whole[at]);
  const [first, last] = [places[0], places.at(-1)];
  return first === undefined ? 'nothing differs' : `those from ${first} to ${last} differ`;
}
