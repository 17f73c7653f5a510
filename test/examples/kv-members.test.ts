import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kvServer } from '../../examples/kv/http.ts';
import { HttpAddresses, type KvNode, publishHttpAddresses } from '../../examples/kv/http-addresses.ts';
import { type Command, type Query, type Result, Store } from '../../examples/kv/store.ts';
import { RaftNode, type RaftNodeOptions } from '../../src/index.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { type MemoryNetwork, memoryNetwork } from '../../src/transport/index.ts';
import { eventually } from './kv-cluster.ts';

type Entrance = Pick<RaftNodeOptions<Command, Result, Query, string | null>, 'bootstrap' | 'join'>;

const fast = { electionTimeoutMinMs: 200, electionTimeoutMaxMs: 400, heartbeatIntervalMs: 20 };

/** One replica of the example with its HTTP face, in this process. */
class Replica {
  readonly node: KvNode;
  readonly http: string;
  readonly #server: Server;

  private constructor(node: KvNode, server: Server, http: string) {
    this.node = node;
    this.#server = server;
    this.http = http;
  }

  static async open(network: MemoryNetwork, id: string, entrance: Entrance): Promise<Replica> {
    const store = new Store();
    const node: KvNode = await RaftNode.open<Command, Result, Query, string | null>({
      id,
      storage: memoryStorage(),
      transport: network.transport(id),
      stateMachine: store,
      raft: fast,
      ...entrance,
    });
    // What the flags would say; the address is known only once the server listens.
    const known: { id: string; raft: string; http: string }[] = [];
    const server = kvServer(node, store, new HttpAddresses(node, known)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const http = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    publishHttpAddresses(node, new HttpAddresses(node, [{ id, raft: id, http }]), pino({ level: 'silent' }));
    return new Replica(node, server, http);
  }

  async ask(
    method: string,
    path: string,
    body?: string,
  ): Promise<{ status: number; location: string | null; told: Told }> {
    const response = await fetch(`http://${this.http}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      redirect: 'manual',
    });
    const told = (await response.json()) as Told;
    return { status: response.status, location: response.headers.get('location'), told };
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.node.close();
  }
}

/** Whatever of it there is. */
interface Told {
  readonly error?: string;
  readonly reason?: string;
  readonly voters?: readonly { readonly id: string; readonly metadata?: Readonly<Record<string, string>> }[];
  readonly learners?: readonly { readonly id: string }[];
  readonly configuration?: { readonly id: string };
  readonly change?: { readonly progress: { readonly phase: string } } | null;
  readonly newcomers?: readonly { readonly id: string; readonly answer: string }[];
}

let network: MemoryNetwork;
let leader: Replica;
const open = new Set<Replica>();

async function opened(id: string, entrance: Entrance): Promise<Replica> {
  const replica = await Replica.open(network, id, entrance);
  open.add(replica);
  return replica;
}

beforeEach(async () => {
  network = memoryNetwork();
  leader = await opened('a', { bootstrap: { members: [{ id: 'a', address: 'a' }] } });
  await eventually('the leader has published its HTTP address', 10_000, async () => {
    const { configuration, change } = leader.node.status();
    return configuration.voters[0]?.metadata?.http === leader.http && change === null ? true : null;
  });
});

afterEach(async () => {
  await Promise.all([...open].map((replica) => replica.close()));
  open.clear();
});

const join: Entrance = { join: { seeds: [{ id: 'a', address: 'a' }] } };

async function newcomer(id: string): Promise<Replica> {
  const replica = await opened(id, join);
  await eventually(`${id} asks to be let in`, 10_000, async () =>
    leader.node.status().newcomers.some((one) => one.id === id) ? true : null,
  );
  return replica;
}

describe('a request for another membership is refused with 400 and what was expected', () => {
  it.each([
    ['POST', '/members', 'add n4', 'expected JSON such as {"add":[{"id":"n4"}]}'],
    ['POST', '/members', '{}', 'expected at least one of add, promote, demote, remove, replace, update'],
    ['POST', '/members', '{"add":["n4"]}', 'add[0]'],
    ['POST', '/members', '{"add":[{"id":"n4","role":"king"}]}', 'add[0].role'],
    ['POST', '/members', '{"banish":["n4"]}', 'banish'],
    ['POST', '/members?timeoutMs=0', '{"remove":["b"]}', 'timeoutMs: expected a positive integer, found "0"'],
  ])('%s %s %s', async (method, path, body, expected) => {
    const { status, told } = await leader.ask(method, path, body);
    expect(told.error).toContain(expected);
    expect(status).toBe(400);
  });
});

describe('a change that the cluster refuses is answered with 409 and its reason', () => {
  it.each([
    ['DELETE', '/members/nobody', undefined, 'unknown-member'],
    ['DELETE', '/members/a', undefined, 'no-voters-left'],
    ['POST', '/members', '{"add":[{"id":"a"}]}', 'already-member'],
    ['POST', '/members?expected=99.9', '{"update":[{"id":"a","metadata":{}}]}', 'configuration-changed'],
    ['POST', '/members?timeoutMs=50', '{"add":[{"id":"nobody"}]}', 'newcomer-not-heard'],
  ])('%s %s %s: %s', async (method, path, body, reason) => {
    const { status, told } = await leader.ask(method, path, body);
    expect(told.reason).toBe(reason);
    expect(status).toBe(409);
  });
});

it('a member is added, listed, promoted and removed, and each answer is the configuration in force', async () => {
  await newcomer('b');
  const waiting = await leader.ask('GET', '/members');
  expect(waiting.told.newcomers).toMatchObject([{ id: 'b', answer: 'waiting-for-operator' }]);
  const added = await leader.ask('POST', '/members', '{"add":[{"id":"b","role":"learner"}]}');
  expect(added.status).toBe(200);
  expect(added.told.learners?.map(({ id }) => id)).toEqual(['b']);
  const promoted = await leader.ask('POST', '/members', '{"promote":["b"]}');
  expect(promoted.told.voters?.map(({ id }) => id)).toEqual(['a', 'b']);
  const listed = await leader.ask('GET', '/members');
  expect(listed.told).toMatchObject({ configuration: promoted.told, change: null });
  const removed = await leader.ask('DELETE', '/members/b');
  expect(removed.status).toBe(200);
  expect(removed.told.voters?.map(({ id }) => id)).toEqual(['a']);
});

it('a member that joined later redirects to the leader, whose address stands in the membership', async () => {
  const other = await newcomer('b');
  await leader.ask('POST', '/members', '{"add":[{"id":"b"}]}');
  await eventually('b knows its leader', 10_000, async () => other.node.status().leader);
  for (const [method, path] of [
    ['DELETE', '/members/b?timeoutMs=100'],
    ['PUT', '/keys/k'],
  ] as const) {
    const { status, location } = await other.ask(method, path);
    expect(status).toBe(307);
    expect(location).toBe(`http://${leader.http}${path}`);
  }
});

it('a change that does not end in time is answered with 504, shows as under way, and keeps others out', async () => {
  const gone = await newcomer('b');
  await gone.close();
  open.delete(gone);
  const late = await leader.ask('POST', '/members?timeoutMs=100', '{"add":[{"id":"b"}]}');
  expect(late.status).toBe(504);
  const listed = await leader.ask('GET', '/members');
  expect(listed.told.change?.progress.phase).toBe('catching-up');
  const refused = await leader.ask('POST', '/members', '{"update":[{"id":"a","metadata":{"rack":"1"}}]}');
  expect(refused.status).toBe(409);
  expect(refused.told.reason).toBe('change-in-progress');
});

it('another method on /members is answered with 405 and those that there are', async () => {
  expect((await leader.ask('PUT', '/members', '')).told.error).toBe('PUT is not one of GET, POST');
  const { status, told } = await leader.ask('GET', '/members/a');
  expect(status).toBe(405);
  expect(told.error).toBe('GET is not one of DELETE');
});
