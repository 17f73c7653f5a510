// The scenarios that show the planted bugs; the same ones hold without a bug.

export const noTrouble = 'name: planted\nduration: 10s\n';

export const restarts = `
name: planted
duration: 30s
timeline:
  - {at: 5s, for: 1s, crash: {on: all}}
`;

/** Old entries survive their leaders, and links are slow enough to tell counting from committing. */
export const leadersComeAndGo = `
name: planted
cluster: {replicas: 5}
network: {latency: 1ms..40ms, loss: 10%, duplicate: 5%}
duration: 60s
workload: {clients: 8, operations-per-second: 100}
timeline:
${Array.from({ length: 14 }, (_, i) => `  - {at: ${4 * i + 2}s, for: 2500ms, partition: {on: leader}}`).join('\n')}
expect: {recovery-within: 20s}
`;

/** Voters join and leave in pairs, over links slow enough to tell one majority from the other. */
export const twoAtOnce = `
name: planted
cluster: {replicas: 3, spares: 2, snapshots: {entries: 7, keep-entries: 2}}
network: {latency: 1ms..40ms}
duration: 16s
workload: {operations-per-second: 30}
timeline:
${Array.from({ length: 2 }, (_, i) => `  - {at: ${6 * i + 2}s, membership: {add: [n4, n5]}}\n  - {at: ${6 * i + 5}s, membership: {remove: [n4, n5]}}`).join('\n')}
expect: {recovery-within: 20s}
`;

/** Two join while two of the old three are slow to answer: the newcomers and the leader are a majority of five. */
export const slowOldVoters = `
name: planted
cluster: {replicas: 3, spares: 2}
duration: 8s
workload: {operations-per-second: 30}
timeline:
  - {at: 1s, for: 6s, network: {on: [n2, n3], latency: 80ms..120ms}}
  - {at: 2s, membership: {add: [n4, n5]}}
`;

/** Who lost its disk gets its state from a snapshot. */
export const followersComeBackEmpty = `
name: planted
cluster: {replicas: 3, snapshots: {entries: 20, keep-entries: 5}}
duration: 8s
workload: {operations-per-second: 30}
timeline:
  - {at: 3s, for: 1s, wipe: one follower}
`;

/** Two join, and nothing stands in their way. */
export const twoJoin = `
name: planted
cluster: {replicas: 3, spares: 2}
network: {latency: 2ms}
duration: 6s
workload: {operations-per-second: 30}
timeline:
  - {at: 2s, membership: {add: [n4, n5]}}
`;

/** Leaders are lost with writes under way, which their clients retry; who was away gets a snapshot. */
export const writesAreRetried = `
name: planted
cluster: {replicas: 3, snapshots: {entries: 20, keep-entries: 5}}
network: {latency: 1ms..15ms, loss: 5%, duplicate: 5%}
duration: 16s
workload: {operations-per-second: 60, clients: 8, mix: {write: 3, cas: 2}, timeout: 200ms, lost-answers: 10%, sessions: true}
timeline:
  - {at: 1s, for: 4s, partition: n3}
  - {at: 2s, for: 1s, pause: leader}
  - {at: 6s, for: 2s, partition: leader}
  - {at: 9s, for: 1s, crash: leader}
  - {at: 11s, for: 2s, pause: leader}
  - {at: 14s, for: 1s, crash: {on: all, power: true}}
expect: {recovery-within: 20s}
`;

/** As that, and there are more clients than sessions. */
export const fewSessions = writesAreRetried.replace('replicas: 3,', 'replicas: 3, sessions: {max: 4},');
