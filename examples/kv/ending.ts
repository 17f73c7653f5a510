import type { Server } from 'node:http';
import { Removed, Retired } from 'kontiki';
import type { Logger } from 'pino';
import type { KvNode } from './http-addresses.ts';

/** How long answers under way may take once the replica ends. */
const GRACE_MS = 1_000;
/** A member that has just been emptied is refused too, until its predecessor has been silent for a moment. */
const REFUSED_FOR_MS = 10_000;

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
  onRefused(node, (why) => {
    logger.error(`kv replica ${node.id} is refused by the cluster and ends: ${why}`);
    void close(1);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close(0));
}

/** Calls back when the cluster has refused this replica for long: somebody else runs under its name. */
function onRefused(node: KvNode, refused: (why: string) => void): void {
  let timer: NodeJS.Timeout | null = null;
  const forget = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
  node.on('joining', ({ from, answer }) => {
    if (answer === 'member-is-alive' || answer === 'other-cluster') {
      const why = `${from} answers ${answer}; check --id, --dir and the addresses`;
      timer ??= setTimeout(() => refused(why), REFUSED_FOR_MS).unref();
    } else if (answer !== 'ask-leader') forget();
  });
  node.on('leader-changed', ({ leader }) => {
    if (leader !== null) forget();
  });
  node.once('stopped', forget);
}
