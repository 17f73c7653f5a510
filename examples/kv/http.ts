import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { collectMetrics } from 'kontiki/prom-client';
import { Registry } from 'prom-client';
import { tellFailure } from './failure.ts';
import type { HttpAddresses, KvNode } from './http-addresses.ts';
import { bodyOf, decodePart, json, notAllowed } from './http-message.ts';
import { answerMembers } from './members.ts';
import type { Store } from './store.ts';

const VALUE_BYTES_MAX = 1024 * 1024;

/**
 * `PUT | GET | DELETE /keys/:key`, the body being the value; `GET | POST /members`, `DELETE /members/:id`
 * (members.ts); `GET /status`; `GET /metrics` for Prometheus; `GET /dump` for this replica's own applied state;
 * `GET /backup` for a backup of it. Any replica answers reads; a follower answers writes with 307 and the
 * leader's address.
 */
export function kvServer(node: KvNode, store: Store, addresses: HttpAddresses): Server {
  const registry = new Registry();
  collectMetrics({ registry, nodes: [node] });
  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => tellFailure(request, response, error, addresses));
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Not through URL: it would take the key `..` for a step upwards.
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    const [, room, part] = /^\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
    if (room === 'keys' && part !== undefined) await answerKey(request, response, decodePart(part));
    else if (room === 'members') {
      const id = part === undefined ? null : decodePart(part);
      await answerMembers(node, request, response, { id, parameters: new URLSearchParams(query) });
    } else if (request.method === 'GET' && path === '/status') {
      json(response, 200, { ...node.status(), metrics: node.metrics() });
    } else if (request.method === 'GET' && path === '/metrics') {
      response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
    } else if (request.method === 'GET' && path === '/dump') {
      json(response, 200, { appliedIndex: node.status().appliedIndex, values: JSON.parse(store.dump()) });
    } else if (request.method === 'GET' && path === '/backup') {
      await answerBackup(response);
    } else {
      json(response, 404, {
        error: 'expected /keys/:key, /members, /members/:id, /status, /metrics, /dump or /backup',
      });
    }
  }

  /** One that breaks off breaks the connection with it: `curl --fail` tells, and `kontiki restore` too. */
  async function answerBackup(response: ServerResponse): Promise<void> {
    const backup = node.backup();
    try {
      // What keeps it from being taken at all is told as an answer.
      const head = await backup.next();
      if (head.done === true) return;
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).write(head.value);
      await pipeline(backup, response);
    } finally {
      await backup.return(undefined);
    }
  }

  async function answerKey(request: IncomingMessage, response: ServerResponse, key: string): Promise<void> {
    switch (request.method) {
      case 'PUT': {
        const value = await bodyOf(request, VALUE_BYTES_MAX);
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
        notAllowed(response, request.method, 'GET, PUT, DELETE');
    }
  }
}
