import type { NodeId } from '../../../src/raft/identity.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../src/transport/wire.ts';
import { checkRange, type RangeUs, type SimulatedRandom } from './random.ts';
import type { Simulation } from './simulation.ts';

/** How messages become bytes and back. `decode` throws when the bytes are no envelope. */
export interface EnvelopeCodec {
  encode(envelope: Envelope): Uint8Array;
  decode(bytes: Uint8Array): Envelope;
}

/** How one direction between two replicas behaves. */
export interface LinkQuality {
  /** Drawn for each message alone, so a wide range reorders. */
  readonly latency: RangeUs;
  /** Integers 0..1000. */
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
}

/** One direction between two machines. */
export interface Link {
  readonly from: NodeId;
  readonly to: NodeId;
}

/** Where a frame comes from, and where it is to arrive. */
export interface Route {
  /** The machine that sends. */
  readonly from: NodeId;
  readonly address: string;
}

export interface NetworkStats {
  readonly sent: number;
  readonly delivered: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Sent over, or under way on, a link that was cut. */
  readonly cut: number;
  /** Nobody alive listened at the address. */
  readonly unanswered: number;
}

/** Where messages to one address arrive. */
export interface Endpoint {
  /** What faults call the machine it is on, whatever its address. */
  readonly machine: NodeId;
  /** False once closed, or when its process died. */
  readonly listening: boolean;
  arrive(frame: Uint8Array): void;
}

/**
 * All links between replicas. A frame is bytes: what a message refers to in the sender's memory never
 * reaches the receiver. Any text is an address; faults are on the links between machines, and an address at
 * which nobody ever listened is a machine of that name. Messages under way outlive their sender, and reach
 * whoever listens at the address when they arrive.
 */
export class SimulatedNetwork {
  readonly simulation: Simulation;
  readonly codec: EnvelopeCodec;
  readonly #random: SimulatedRandom;
  readonly #quality: LinkQuality;
  readonly #endpoints = new Map<string, Endpoint>();
  /** By sender, then by receiver. */
  readonly #links = new Map<NodeId, Map<NodeId, LinkState>>();
  readonly #stats = { sent: 0, delivered: 0, lost: 0, duplicated: 0, cut: 0, unanswered: 0 };

  /** @throws RangeError when a quality is out of bounds. */
  constructor(options: {
    readonly simulation: Simulation;
    readonly random: SimulatedRandom;
    /** The production wire codec by default. */
    readonly codec?: EnvelopeCodec;
    readonly quality: LinkQuality;
  }) {
    this.simulation = options.simulation;
    this.codec = options.codec ?? wireCodec;
    this.#random = options.random;
    this.#quality = checkQuality(options.quality);
  }

  /** Nothing passes on these links, what is under way included, until the returned function is called. */
  cut(links: readonly Link[]): () => void {
    const states = links.map((link) => this.#link(link));
    for (const state of states) state.cuts += 1;
    return once(() => {
      for (const state of states) state.cuts -= 1;
    });
  }

  /**
   * These links behave otherwise until the returned function is called; what is not given stays. Of
   * several overrides on one link the latest counts.
   * @throws RangeError when a quality is out of bounds.
   */
  override(links: readonly Link[], quality: Partial<LinkQuality>): () => void {
    const change: Override = { quality };
    checkQuality({ ...this.#quality, ...quality });
    const states = links.map((link) => this.#link(link));
    const settle = (state: LinkState): void => {
      state.quality = Object.assign({}, this.#quality, ...state.overrides.map((one) => one.quality));
    };
    for (const state of states) {
      state.overrides.push(change);
      settle(state);
    }
    return once(() => {
      for (const state of states) {
        state.overrides = state.overrides.filter((other) => other !== change);
        settle(state);
      }
    });
  }

  isCut(link: Link): boolean {
    return this.#link(link).cuts > 0;
  }

  stats(): NetworkStats {
    return { ...this.#stats };
  }

  endpoint(address: string): Endpoint | undefined {
    return this.#endpoints.get(address);
  }

  /** Replaces whoever was there. */
  listen(address: string, endpoint: Endpoint): void {
    this.#endpoints.set(address, endpoint);
  }

  /** Sends one frame. The bytes must not change any more. */
  transmit({ from, address }: Route, frame: Uint8Array): void {
    const state = this.#link({ from, to: this.#endpoints.get(address)?.machine ?? address });
    this.#stats.sent += 1;
    this.simulation.recordBytes(frame);
    const { lossPerMille, duplicatePerMille } = state.quality;
    const lost = this.#random.chance(lossPerMille);
    const duplicated = this.#random.chance(duplicatePerMille);
    if (state.cuts > 0) this.#stats.cut += 1;
    else if (lost) this.#stats.lost += 1;
    else {
      this.#fly(state, address, frame);
      if (duplicated) {
        this.#stats.duplicated += 1;
        this.#fly(state, address, frame);
      }
    }
  }

  #fly(state: LinkState, address: string, frame: Uint8Array): void {
    this.simulation.schedule(this.#random.duration(state.quality.latency), state.label, () => {
      if (state.cuts > 0) {
        this.#stats.cut += 1;
        return;
      }
      const endpoint = this.#endpoints.get(address);
      if (endpoint?.listening !== true) {
        this.#stats.unanswered += 1;
        return;
      }
      this.#stats.delivered += 1;
      endpoint.arrive(frame);
    });
  }

  #link({ from, to }: Link): LinkState {
    let outgoing = this.#links.get(from);
    if (outgoing === undefined) {
      outgoing = new Map();
      this.#links.set(from, outgoing);
    }
    let state = outgoing.get(to);
    if (state === undefined) {
      state = { label: `${from} -> ${to}`, cuts: 0, overrides: [], quality: this.#quality };
      outgoing.set(to, state);
    }
    return state;
  }
}

const wireCodec: EnvelopeCodec = {
  encode: (envelope) => encodeEnvelope(envelope),
  decode: decodeEnvelope,
};

interface LinkState {
  readonly label: string;
  /** Cuts in force; overlapping faults each hold their own. */
  cuts: number;
  overrides: Override[];
  quality: LinkQuality;
}

interface Override {
  readonly quality: Partial<LinkQuality>;
}

function once(release: () => void): () => void {
  let released = false;
  return () => {
    if (released) return;
    released = true;
    release();
  };
}

function checkQuality(quality: LinkQuality): LinkQuality {
  checkRange(quality.latency, "a link's latency");
  for (const perMille of [quality.lossPerMille, quality.duplicatePerMille]) {
    if (!Number.isSafeInteger(perMille) || perMille < 0 || perMille > 1000) {
      throw new RangeError(`a link's probabilities are whole per mille, 0 to 1000, got ${perMille}`);
    }
  }
  return quality;
}
