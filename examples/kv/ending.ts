import type { Server } from 'node:http';
import { Removed, Retired } from 'kontiki';
import type { Logger } from 'pino';
import type { KvNode } from './http-addresses.ts';

/** How long answers under way may take once the replica ends. */
const GRACE_MS = 1_000;

/**
 * Ends the process when it is told to, or when the replica stops by itself. Exit code 0: asked to, or its
 * work is done, since the cluster removed it; 1: it cannot go on, and a supervisor should tell somebody.
 */
export function runUntilItEnds(node: KvNode, server: Server, logger: Logger): void {
  const close = async (exitCode: number): Promise<void> => {
    process.exitCode = exitCode;
    server.close();
    // Whoever waits for an answer gets one by this.
    await node.close();
    setTimeout(() => server.closeAllConnections(), GRACE_MS).unref();
  };
  node.once('stopped', ({ error }) => {
    if (error === null) return;
    if (error instanceof Removed) {
      logger.warn(
        `kv replica ${node.id} was removed from its cluster and ends; its directory may be deleted`,
      );
      void close(0);
    } else if (error instanceof Retired) {
      logger.error(`kv replica ${node.id} is refused for ever and ends: ${error.message}`);
      void close(1);
    } else {
      logger.error({ err: error }, `kv replica ${node.id} cannot go on and ends`);
      void close(1);
    }
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close(0));
}
