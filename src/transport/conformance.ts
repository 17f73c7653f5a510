import { addressingFacts } from './conformance/addressing-facts.ts';
import { deliveryFacts } from './conformance/delivery-facts.ts';
import { lifecycleFacts } from './conformance/lifecycle-facts.ts';
import { World } from './conformance/world.ts';
import type { Transport } from './contract.ts';

/** The two functions of a test runner that the suite needs; vitest's and node:test's fit. */
export interface ConformanceHooks {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

/** Makes endpoints that can reach each other. Each test makes one of its own. */
export interface ConformanceFixture {
  /** An endpoint not yet opened; `at` asks for the address of one that was opened before. */
  endpoint(at?: string): Transport;
  /** Lets what is under way go on, for a transport that needs to be driven. Default: one that is not is waited for. */
  settle?(): Promise<void>;
}

/** Runs one fact with endpoints of its own. */
export type InWorld = (fact: string, body: (world: World) => Promise<void>) => void;

/**
 * What every transport must do. Whoever writes one runs this in their own tests:
 * `transportConformance({ describe, it }, 'mine', () => ({ endpoint: (at) => ... }))`.
 */
export function transportConformance(
  hooks: ConformanceHooks,
  name: string,
  makeFixture: () => ConformanceFixture,
): void {
  const inWorld = worlds(hooks, makeFixture);
  hooks.describe(`the ${name} transport`, () => {
    deliveryFacts(inWorld);
    addressingFacts(inWorld);
    lifecycleFacts(inWorld);
  });
}

/** The part of it that says whom a message reaches; for a network that is made to lose and to fail loudly. */
export function addressingConformance(
  hooks: ConformanceHooks,
  name: string,
  makeFixture: () => ConformanceFixture,
): void {
  const inWorld = worlds(hooks, makeFixture);
  hooks.describe(`the addressing of the ${name} transport`, () => addressingFacts(inWorld));
}

function worlds(hooks: ConformanceHooks, makeFixture: () => ConformanceFixture): InWorld {
  return (fact, body) =>
    hooks.it(fact, async () => {
      const world = new World(makeFixture());
      try {
        await body(world);
      } finally {
        await world.close();
      }
    });
}
