import { KontikiError, Overloaded } from './errors.ts';

/**
 * Why a request failed, as a label of a metric: one of a bounded set. An overload is told by the bound that was met.
 * `other`: what the state machine threw.
 */
export function failureReason(error: unknown): string {
  if (error instanceof Overloaded) return `overloaded-${error.reason}`;
  if (!(error instanceof KontikiError)) return 'other';
  return error.code
    .replace(/^KONTIKI_/, '')
    .toLowerCase()
    .replaceAll('_', '-');
}
