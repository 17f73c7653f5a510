import type { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { RaftNodeEvents } from './events.ts';

/** Writes a node's events to a pino logger: what an operator acts on as warnings, the rest as information. */
export function logEvents(node: EventEmitter<RaftNodeEvents>, logger: Logger): void {
  node.on('role-changed', (event) =>
    logger.info(event, `${event.role} of term ${event.term}: ${event.reason}`),
  );
  node.on('leader-changed', (event) => logger.info(event, 'leader changed'));
  node.on('log-truncated', (event) =>
    logger.info(event, `uncommitted entries from ${event.from} on replaced`),
  );
  node.on('clock-anomaly', (event) => logger.warn(event, 'the clock misbehaved; promises restart'));
  node.on('bootstrap-waiting', (event) => logger.info(event, 'waiting to found the cluster'));
  node.on('storage-failed', ({ error }) => logger.error({ err: error }, 'the storage failed; reopening it'));
  node.on('storage-reopen-failed', ({ error, retryInMs }) =>
    logger.error({ err: error, retryInMs }, 'the storage does not reopen; retrying'),
  );
  node.on('storage-reopened', (event) => logger.info(event, 'the storage is open again'));
  node.on('transport', (event) => {
    if (event.kind === 'refused' || event.kind === 'bad-frame')
      logger.warn(event, `transport: ${event.kind}`);
    else logger.info(event, `transport: ${event.kind}`);
  });
  node.on('stopped', ({ error }) => {
    if (error === null) logger.info('closed');
    else logger.fatal({ err: error }, 'stopped');
  });
}
