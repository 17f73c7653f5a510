import { KontikiError } from './errors.ts';

/** Why a request failed, as a label of a metric: one of a bounded set. `other`: what the state machine threw. */
export function failureReason(error: unknown): string {
  if (!(error instanceof KontikiError)) return 'other';
  return error.code
    .replace(/^KONTIKI_/, '')
    .toLowerCase()
    .replaceAll('_', '-');
}
