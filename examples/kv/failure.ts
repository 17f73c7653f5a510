import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  InvariantViolation,
  KontikiError,
  MembershipAborted,
  MembershipRefused,
  NotLeader,
  Overloaded,
} from 'kontiki';
import type { HttpAddresses } from './http-addresses.ts';
import { BadRequest, json } from './http-message.ts';

/** Turns what a request failed with into a status that tells a client what it may do. */
export function tellFailure(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  addresses: HttpAddresses,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const told = { error: error instanceof Error ? error.message : String(error), code: codeOf(error) };
  const elsewhere = leaderInsteadOf(error);
  if (elsewhere !== undefined) {
    const address = elsewhere === null ? null : addresses.of(elsewhere);
    if (address !== null) response.setHeader('location', `http://${address}${request.url}`);
    else response.setHeader('retry-after', '1');
    json(response, address === null ? 503 : 307, { ...told, leader: elsewhere });
  } else if (error instanceof BadRequest) {
    json(response, error.status, told);
  } else if (error instanceof MembershipRefused) {
    json(response, 409, { ...told, reason: error.reason });
  } else if (error instanceof MembershipAborted) {
    json(response, 409, { ...told, reason: 'aborted' });
  } else if (error instanceof Overloaded) {
    json(response, 429, told);
  } else if (error instanceof KontikiError || error instanceof InvariantViolation) {
    // 504: it may still happen; 503: it surely does not.
    const unknown = error instanceof KontikiError && !error.outcomeKnown;
    response.setHeader('retry-after', '1');
    json(response, unknown ? 504 : 503, told);
  } else {
    json(response, 500, told);
  }
}

/** The leader's id, null when none is known; undefined when the error is about something else. */
function leaderInsteadOf(error: unknown): string | null | undefined {
  const isElsewhere =
    error instanceof NotLeader || (error instanceof MembershipRefused && error.reason === 'not-leader');
  return isElsewhere ? (error.leader?.id ?? null) : undefined;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof KontikiError ? error.code : undefined;
}
