import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { InvariantViolation, KontikiError, NotLeader, Overloaded, type RaftNode } from 'kontiki';
import type { Command, Query, Result, Store } from './store.ts';

const VALUE_BYTES_MAX = 1024 * 1024;

type KvNode = RaftNode<Command, Result, Query, string | null>;

/**
 * `PUT | GET | DELETE /keys/:key`, the body being the value; `GET /status`; `GET /dump` for this
 * replica's own applied state. A follower answers 307 with the leader's address.
 */
export function kvServer(node: KvNode, store: Store, httpAddresses: ReadonlyMap<string, string>): Server {
  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => fail(request, response, error));
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const key = /^\/keys\/([^/?]+)$/.exec(path)?.[1];
    if (key !== undefined) await answerKey(request, response, decodeKey(key));
    else if (request.method === 'GET' && path === '/status') {
      json(response, 200, { ...node.status(), metrics: node.metrics() });
    } else if (request.method === 'GET' && path === '/dump') {
      json(response, 200, { appliedIndex: node.status().appliedIndex, values: JSON.parse(store.dump()) });
    } else json(response, 404, { error: 'expected /keys/:key, /status or /dump' });
  }

  async function answerKey(request: IncomingMessage, response: ServerResponse, key: string): Promise<void> {
    switch (request.method) {
      case 'PUT': {
        const value = await bodyOf(request);
        json(response, 200, await node.propose({ kind: 'put', key, value }));
        return;
      }
      case 'DELETE':
        json(response, 200, await node.propose({ kind: 'delete', key }));
        return;
      case 'GET': {
        const value = await node.read({ kind: 'get', key });
        if (value === null) json(response, 404, { error: `no value for key ${JSON.stringify(key)}` });
        else response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(value);
        return;
      }
      default:
        response.setHeader('allow', 'GET, PUT, DELETE');
        json(response, 405, { error: `${request.method} is not one of GET, PUT, DELETE` });
    }
  }

  function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const told = { error: error instanceof Error ? error.message : String(error), code: codeOf(error) };
    if (error instanceof NotLeader && error.leader !== null) {
      const address = httpAddresses.get(error.leader.id);
      if (address !== undefined) response.setHeader('location', `http://${address}${request.url}`);
      json(response, address === undefined ? 503 : 307, { ...told, leader: error.leader.id });
    } else if (error instanceof BadRequest) {
      json(response, error.status, told);
    } else if (error instanceof Overloaded) {
      json(response, 429, told);
    } else if (error instanceof KontikiError || error instanceof InvariantViolation) {
      // 504: the command may still be applied; 503: it surely was not.
      const unknown = error instanceof KontikiError && !error.outcomeKnown;
      response.setHeader('retry-after', '1');
      json(response, unknown ? 504 : 503, told);
    } else {
      json(response, 500, told);
    }
  }
}

class BadRequest extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BadRequest(400, `${JSON.stringify(text)} is no percent-encoded key`);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > VALUE_BYTES_MAX) throw new BadRequest(413, `a value may hold ${VALUE_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function codeOf(error: unknown): string | undefined {
  return error instanceof KontikiError ? error.code : undefined;
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}
