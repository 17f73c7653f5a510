import { deviceError } from '../world/simulated/device.ts';

/** Without its stack: every opening asks for files that are not there, and a stack costs more than all the rest. */
export function mediumError(code: string, what: string): NodeJS.ErrnoException {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return deviceError(code, what);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
