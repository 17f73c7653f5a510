import type { Observation } from '../../src/node/observation.ts';
import { describeEffect, describeEvent, describeMessage } from '../../src/raft/describe.ts';
import type { WorldObservation } from '../checkers/checker.ts';

/** One line for a step of a cluster, in the core's own words. */
export function describeObservation(seen: WorldObservation): string {
  return `${seen.replica} ${describeWorld(seen)}`;
}

function describeWorld(seen: WorldObservation): string {
  switch (seen.kind) {
    case 'crashed':
      return seen.power ? 'loses its power' : 'is killed';
    case 'rotted':
      return `has ${seen.places} ${seen.places === 1 ? 'place' : 'places'} of its ${seen.what} rot`;
    case 'wiped':
      return 'has its disk emptied';
    case 'rolled-back':
      return 'has its disk set back to an earlier moment';
    case 'replica':
      return describe(seen.observation);
  }
}

function describe(observation: Observation): string {
  switch (observation.kind) {
    case 'opened': {
      const { identity, recovered, appliedIndex } = observation;
      const { hardState, lastIndex, floor } = recovered;
      const vote = hardState.votedFor === null ? 'nobody' : hardState.votedFor.id;
      const log = floor.index === 0 ? `log to ${lastIndex}` : `log after ${floor.index} to ${lastIndex}`;
      const damaged = recovered.damage === null ? '' : `; damaged: ${recovered.damage.report}`;
      return `opens boot ${identity.boot}: term ${hardState.term}, voted for ${vote}, ${log}, applied ${appliedIndex}${damaged}`;
    }
    case 'write':
      return describeEffect(observation.write);
    case 'persisted':
      return `persisted write ${observation.writeId.sequence}`;
    case 'write-failed':
      return `storage failed: ${messageOf(observation.error)}`;
    case 'sent':
      return `-> ${observation.envelope.to.id} ${describeMessage(observation.envelope.message)}`;
    case 'received':
      return `<- ${observation.envelope.from.id} ${describeMessage(observation.envelope.message)}`;
    case 'applied':
      return `applied entry ${observation.entry.index} of term ${observation.entry.term}`;
    case 'snapshot-stored':
      return `stored snapshot ${observation.meta.index}/${observation.meta.term}, ${observation.origin}`;
    case 'restored':
      return `restored its state from snapshot ${observation.meta.index}/${observation.meta.term}`;
    case 'raft-event':
      return describeEvent(observation.event);
    case 'step':
      return 'step';
    case 'stopped':
      return observation.error === null ? 'closed' : `stopped: ${messageOf(observation.error)}`;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
