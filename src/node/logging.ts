import type { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import { describeHandicap } from '../raft/stall.ts';
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
  node.on('bootstrap-waiting', (event) => {
    if (event.differing.length === 0) logger.info(event, 'waiting for the cluster to be founded');
    else logger.warn(event, 'no cluster is founded: replicas were given lists that differ');
  });
  node.on('joining', (event) => logger.info(event, `asked to be let in: ${event.answer}`));
  node.on('newcomer', (event) => logger.info(event, `${event.member.id} asks to be let in: ${event.answer}`));
  node.on('configuration-changed', ({ configuration }) =>
    logger.info({ configuration }, `configuration ${configuration.id} is in force`),
  );
  node.on('membership-progress', (event) =>
    logger.info(event, `changing the membership: ${event.progress.phase}`),
  );
  node.on('membership-ended', (event) => {
    const text = `the change of the membership ended as ${event.outcome}: ${event.reason}`;
    if (event.outcome === 'completed') logger.info(event, text);
    else logger.warn(event, text);
  });
  node.on('removed', () => logger.warn('removed from the cluster'));
  node.on('snapshot-taken', ({ index, term, size, digest }) =>
    logger.info({ index, term, size, digest }, 'snapshot taken'),
  );
  node.on('snapshot-failed', ({ error, ...event }) =>
    logger.error({ err: error, ...event }, 'no snapshot came of it; the next is tried when it is due'),
  );
  node.on('snapshot-damaged', ({ error, ...event }) =>
    logger.error(
      { err: error, ...event },
      event.isReplaced
        ? 'the latest snapshot is damaged; another is taken'
        : 'the latest snapshot is damaged, and the state machine cannot give another: followers that need one have to wait',
    ),
  );
  node.on('snapshot-installed', (event) => logger.info(event, "a leader's snapshot is installed"));
  node.on('snapshot-transfer', (event) =>
    logger.info(event, `sending a snapshot to ${event.peer}: ${event.phase}`),
  );
  node.on('log-compacted', (event) => logger.info(event, 'log compacted'));
  node.on('leadership-transfer-begun', (event) =>
    logger.info(event, `handing over to ${event.to}: ${event.reason}`),
  );
  node.on('leadership-transfer-ended', (event) =>
    logger.info(event, `handing over to ${event.to}: ${event.outcome}`),
  );
  node.on('stalled', (event) =>
    logger.error(event, `the ${event.what} has not answered for ${event.forMs} ms`),
  );
  node.on('stall-ended', (event) => logger.info(event, `the ${event.what} answers again`));
  node.on('no-transfer-target', (event) =>
    logger.error(event, `${describeHandicap(event.stalled)}, and nobody is fit to lead instead`),
  );
  node.on('storage-failed', ({ error }) => logger.error({ err: error }, 'the storage failed; reopening it'));
  node.on('storage-reopen-failed', ({ error, retryInMs }) =>
    logger.error({ err: error, retryInMs }, 'the storage does not reopen; retrying'),
  );
  node.on('storage-reopened', (event) => logger.info(event, 'the storage is open again'));
  node.on('disk-nearly-full', (event) => logger.error(event, event.report));
  node.on('disk-has-space', (event) =>
    logger.info(event, `${event.directory} has room again: ${event.freeBytes} bytes are free`),
  );
  node.on('storage-put-aside', (event) =>
    logger.error(
      event,
      `this replica comes back as another server and asks the others to let it in; what it was is kept in ${event.directory}, ` +
        `since its promises are lost: ${event.why}`,
    ),
  );
  node.on('damage-found', (event) =>
    logger.error(event, `the log is damaged and is repaired from the other replicas: ${event.report}`),
  );
  node.on('damage-covered', (event) =>
    logger.warn(event, `the log is damaged, and lacks nothing: ${event.report}`),
  );
  node.on('damage-repaired', (event) => {
    const whence = event.by === 'peers' ? `by ${event.peers.join(', ')}` : "with a leader's log";
    logger.warn(event, `the log is whole again, ${whence}`);
  });
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
