import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MembershipOptions, RequestedChange } from 'kontiki';
import { z } from 'zod';
import type { KvNode } from './http-addresses.ts';
import { BadRequest, bodyOf, json, notAllowed } from './http-message.ts';

const BODY_BYTES_MAX = 64 * 1024;

const name = z.string().min(1);
const newcomer = {
  address: name.optional(),
  incarnation: name.optional(),
  metadata: z.record(z.string(), z.string()).optional(),
};
const changeSchema = z
  .strictObject({
    add: z
      .array(z.strictObject({ id: name, ...newcomer, role: z.enum(['voter', 'learner']).optional() }))
      .optional(),
    promote: z.array(name).optional(),
    demote: z.array(name).optional(),
    remove: z.array(name).optional(),
    replace: z
      .array(z.strictObject({ id: name, by: z.strictObject({ id: name, ...newcomer }).optional() }))
      .optional(),
    update: z
      .array(z.strictObject({ id: name, address: newcomer.address, metadata: newcomer.metadata }))
      .optional(),
  })
  .refine((change) => Object.keys(change).length > 0, {
    error: 'expected at least one of add, promote, demote, remove, replace, update',
  });

/**
 * `GET /members` shows the configuration, the change under way and who asks to be let in. `POST /members`
 * carries out a change (its body is `changeMembership`'s argument), `DELETE /members/:id` removes one; both
 * answer with the new configuration once it is in force. `?expected=` names the configuration id that the
 * change was made for, `?timeoutMs=` bounds the wait.
 */
export async function answerMembers(
  node: KvNode,
  request: IncomingMessage,
  response: ServerResponse,
  asked: { readonly id: string | null; readonly parameters: URLSearchParams },
): Promise<void> {
  const change = await changeOf(request, asked.id);
  if (change === null) {
    if (asked.id !== null) notAllowed(response, request.method, 'DELETE');
    else if (request.method !== 'GET') notAllowed(response, request.method, 'GET, POST');
    else {
      const { leader, configuration, change: underWay, newcomers, quorum } = node.status();
      json(response, 200, { leader, configuration, change: underWay, newcomers, quorum });
    }
    return;
  }
  json(response, 200, await node.changeMembership(change, optionsOf(asked.parameters)));
}

/** null when the request asks for no change. */
async function changeOf(request: IncomingMessage, id: string | null): Promise<RequestedChange | null> {
  if (id !== null) return request.method === 'DELETE' ? { remove: [id] } : null;
  if (request.method !== 'POST') return null;
  const body = await bodyOf(request, BODY_BYTES_MAX);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    throw new BadRequest(400, `expected JSON such as {"add":[{"id":"n4"}]}: ${(error as Error).message}`);
  }
  const checked = changeSchema.safeParse(parsed);
  if (!checked.success) throw new BadRequest(400, z.prettifyError(checked.error));
  // What comes from JSON has no undefined properties; the schema's type does not know.
  return checked.data as RequestedChange;
}

function optionsOf(parameters: URLSearchParams): MembershipOptions {
  const expected = parameters.get('expected');
  const timeout = parameters.get('timeoutMs');
  const timeoutMs = Number(timeout);
  if (timeout !== null && !(Number.isSafeInteger(timeoutMs) && timeoutMs > 0)) {
    throw new BadRequest(400, `timeoutMs: expected a positive integer, found ${JSON.stringify(timeout)}`);
  }
  return { ...(expected === null ? {} : { expected }), ...(timeout === null ? {} : { timeoutMs }) };
}
