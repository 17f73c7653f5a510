import { crc32 } from '../../src/doors/checksum.ts';
import type { GroupId } from '../../src/raft/identity.ts';
import type { LogStorage, StorageInstance } from '../../src/storage/contract.ts';
import { StorageFailed, StorageRefused } from '../../src/storage/errors.ts';
import type { SimulatedRandom } from '../world/simulated/random.ts';
import { appendTo } from './content.ts';
import { acknowledged, type Expectation, expectNothing, found, submitted, withGroup } from './expectation.ts';
import type { DatabaseImage, Image } from './image.ts';
import { imageKey } from './image-key.ts';
import { checkWhole } from './judge.ts';
import { Life, type StorageFactory } from './life.ts';
import { Medium } from './medium.ts';
import { type Shown, show } from './shown.ts';
import { asWrong, Wrong } from './wrong.ts';

/** What a storage makes of one image, whatever is expected of it. */
export interface Look {
  /** null when it did not open, or could not be read: `error` says why. */
  readonly shown: Shown | null;
  /** It opened as if all were there, and only reading it told of damage: this is what it showed when opened again. */
  readonly isSecond: boolean;
  readonly error: unknown;
  /** What went wrong when it was written to and opened once more. A log that says it is damaged is left alone. */
  readonly onward: Wrong | null;
  /** What came of it when it was told to put aside what it refused for its lost promises; null where it did not. */
  readonly replacement: Omit<Look, 'replacement'> | null;
}

const REMEMBERED_MAX = 5000;
/** How the process ends that went on; which it is depends on the image. */
const endings = ['closed', 'killed', 'cut off from power'] as const;

/**
 * Opens images. What comes of one depends on nothing but the image, and many moments leave the same: each is opened
 * once.
 */
export class Onlooker {
  readonly #factory: StorageFactory;
  readonly #random: SimulatedRandom;
  readonly #looks = new Map<string, Look>();
  /** Of images that were left by going on from another. */
  readonly #later = new Map<string, Pick<Look, 'shown' | 'error'>>();
  #disks = 0;

  constructor(factory: StorageFactory, random: SimulatedRandom) {
    this.#factory = factory;
    this.#random = random;
  }

  /** Images opened, other than those remembered. */
  get disks(): number {
    return this.#disks;
  }

  async look(image: Image): Promise<Look> {
    const key = imageKey(image);
    let look = this.#looks.get(key);
    if (look === undefined) {
      this.#disks += 1;
      look = await this.#open(image, crc32(Buffer.from(key)) % endings.length);
      remember(this.#looks, key, look);
    }
    return look;
  }

  async #open(image: Image, ending: number): Promise<Look> {
    const medium = new Medium(image);
    const look = await this.#openOn(medium, image, ending);
    // What is found while it is read is not known when it is opened; but from then on it is.
    if (!(look.error instanceof StorageFailed)) return { ...look, isSecond: false };
    const left = medium.image();
    return { ...(await this.#openOn(new Medium(left), left, ending)), isSecond: true };
  }

  /** @param image - what the medium holds. */
  async #openOn(medium: Medium, image: Image, ending: number): Promise<Omit<Look, 'isSecond'>> {
    const life = new Life(this.#factory, medium, this.#random);
    try {
      const instance = await life.open();
      const { shown, logs } = await show(life, instance);
      const isDamaged = [...shown.groups.values()].some(({ damage }) => damage !== null);
      const onward = isDamaged ? null : await this.#goOn({ medium, life, instance, shown, logs }, ending);
      return { shown, error: null, onward, replacement: null };
    } catch (error) {
      const isReplaced = error instanceof StorageRefused && error.lostPromises !== null;
      const replacement = isReplaced ? await this.#replace(image, ending) : null;
      return { shown: null, error, onward: null, replacement };
    } finally {
      life.kill();
    }
  }

  /** Nothing that was there may be gone. */
  async #replace(image: Image, ending: number): Promise<Look['replacement']> {
    const medium = new Medium(image);
    const life = new Life(this.#factory, medium, this.#random);
    try {
      const instance = await life.open({ putAside: true });
      const { shown, logs } = await show(life, instance);
      const lost = lostOf(image, medium.image());
      const onward = lost ?? (await this.#goOn({ medium, life, instance, shown, logs }, ending));
      return { shown, error: null, isSecond: false, onward };
    } catch (error) {
      return { shown: null, error, isSecond: false, onward: null };
    } finally {
      life.kill();
    }
  }

  /** One more write in each log; then the process ends, and another finds just that. */
  async #goOn(opened: Opened, ending: number): Promise<Wrong | null> {
    const { medium, life, instance, shown, logs } = opened;
    const how = endings[ending] ?? 'killed';
    try {
      let expectation = expectJust(shown);
      for (const [group, log] of logs) {
        const state = shown.groups.get(group)?.log;
        if (state === undefined) continue;
        const writeId = { boot: shown.identity.boot, sequence: 1 };
        const request = { writeId, ...appendTo(state, group) };
        expectation = submitted(expectation, group, request);
        await life.driven(log.write(request));
        expectation = acknowledged(expectation, group, 1);
      }
      if (how === 'closed') await life.driven(instance.close());
      life.kill();
      const later = await this.#showOnly(
        how === 'cut off from power' ? medium.durableImage() : medium.image(),
      );
      if (later.shown === null) throw later.error;
      checkWhole(later.shown, expectation);
      return null;
    } catch (error) {
      const { expected, found } = asWrong(error);
      return new Wrong({
        expected,
        found: `once it had opened, taken one more write and been ${how}: ${found}`,
      });
    }
  }

  async #showOnly(image: Image): Promise<Pick<Look, 'shown' | 'error'>> {
    const key = imageKey(image);
    let later = this.#later.get(key);
    if (later === undefined) {
      const life = new Life(this.#factory, new Medium(image), this.#random);
      try {
        later = { shown: (await show(life, await life.open())).shown, error: null };
      } catch (error) {
        later = { shown: null, error };
      }
      life.kill();
      remember(this.#later, key, later);
    }
    return later;
  }
}

/** What is kept may be kept elsewhere. */
function lostOf(before: Image, after: Image): Wrong | null {
  const files = [...after.files.values()];
  const databases = [...after.databases.values()];
  const isKept = (bytes: Uint8Array): boolean => files.some((file) => Buffer.compare(file, bytes) === 0);
  const isHeld = ({ batches }: DatabaseImage): boolean =>
    batches.every((batch, place) => databases.some((database) => database.batches[place] === batch));
  const lost = [
    ...[...before.files].filter(([, bytes]) => bytes.length > 0 && !isKept(bytes)),
    ...[...before.databases].filter(([, database]) => !isHeld(database)),
  ];
  const [first] = lost;
  return first === undefined ? null : new Wrong({ expected: `${first[0]}, kept aside`, found: 'it is gone' });
}

/** The moments that leave the same image lie close together, so that an old one is hardly asked for again. */
function remember<T>(looks: Map<string, T>, key: string, look: T): void {
  if (looks.size >= REMEMBERED_MAX) looks.clear();
  looks.set(key, look);
}

interface Opened {
  readonly medium: Medium;
  readonly life: Life;
  readonly instance: StorageInstance;
  readonly shown: Shown;
  readonly logs: ReadonlyMap<GroupId, LogStorage>;
}

/** What was shown is all there is. */
function expectJust({ identity, groups }: Shown): Expectation {
  const { incarnation, boot, clusterId } = identity;
  const nothing = expectNothing([...groups.keys()]);
  let expectation: Expectation = { ...nothing, incarnation, boot, clusterIds: [clusterId] };
  for (const [group, { log, snapshot }] of groups) {
    const kept = snapshot === null ? null : { ...snapshot.meta, content: snapshot.content };
    expectation = withGroup(found(expectation, group, log), group, { snapshot: kept });
  }
  return expectation;
}
