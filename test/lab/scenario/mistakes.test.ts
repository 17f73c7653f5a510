import { describe, expect, it } from 'vitest';
import { ScenarioError } from '../../../lab/scenario/mistakes.ts';
import { parseScenario } from '../../../lab/scenario/parse.ts';

const selectorWanted =
  'a selector: leader, follower, 2 followers, all followers, minority, majority, 2 random, all, ' +
  'or replica ids such as n1 or [n1, n3]';
const durationWanted = 'a duration with its unit, such as 150ms, 1.5s, 30s or 2m';
const faultWanted = 'exactly one fault: partition, network, disk, clock, crash, pause, wipe, membership';
const topLevel = 'name, description, cluster, network, disk, workload, duration, timeline, expect';

/** The whole message, without `f.yaml:` before each line. */
function mistakesIn(text: string): string[] {
  try {
    parseScenario({ text, file: 'f.yaml' });
  } catch (error) {
    if (error instanceof ScenarioError)
      return error.message.split('\n').map((line) => line.replace('f.yaml:', ''));
    throw error;
  }
  return [];
}

describe('one mistake in a scenario is told with its place, what was found and what was expected', () => {
  it.each<[string, string, string]>([
    [
      'an unknown key',
      'duration: 5s\nnam: x',
      `2:1: found the unknown key "nam", expected one of ${topLevel}; did you mean name?`,
    ],
    [
      'an unknown key deep down',
      'duration: 5s\ntimeline:\n  - at: 1s\n    partition:\n      on: leader\n      direktion: both',
      '6:7: timeline[0].partition: found the unknown key "direktion", expected one of on, from, direction, shape; did you mean direction?',
    ],
    ['a missing duration', 'name: x', `1:1: duration: found nothing, expected ${durationWanted}`],
    [
      'a duration left empty',
      'duration:\nname: x',
      `1:10: duration: found nothing, expected ${durationWanted}`,
    ],
    [
      'a number without unit',
      'duration: 30',
      '1:11: duration: found 30, expected a unit after the number: 30ms, 30s or 30m',
    ],
    [
      'a duration of nothing',
      'duration: 0s',
      '1:11: duration: found "0s", expected a duration greater than 0ms',
    ],
    [
      'a list for a mapping',
      'duration: 5s\ncluster: [3]',
      '2:10: cluster: found [3], expected a mapping with keys out of replicas, spares, backend, codec, shards, segment, scrub, reserve, election-timeout, heartbeat, clock-drift, snapshots, sessions, limits',
    ],
    [
      'a mapping for a list',
      'duration: 5s\ntimeline: {at: 5s}',
      '2:11: timeline: found a mapping with at, expected a list of faults, each beginning with a dash and `at`',
    ],
    [
      'a fraction for a count',
      'duration: 5s\ncluster: {replicas: 2.5}',
      '2:21: cluster.replicas: found 2.5, expected a whole number from 1 to 15',
    ],
    [
      'a count out of range',
      'duration: 5s\ncluster: {replicas: 16}',
      '2:21: cluster.replicas: found 16, expected a whole number from 1 to 15',
    ],
    [
      'a word that is none',
      'duration: 5s\ncluster: {backend: file}',
      '2:20: cluster.backend: found "file", expected one of files, level; did you mean files?',
    ],
    [
      'a misspelled selector',
      'duration: 5s\ntimeline: [{at: 1s, pause: leeder}]',
      `2:28: timeline[0].pause: found "leeder", expected ${selectorWanted}; did you mean leader?`,
    ],
    [
      'a number for a selector',
      'duration: 5s\ntimeline: [{at: 1s, pause: 2}]',
      '2:28: timeline[0].pause: found 2, expected a selector such as leader, or a mapping with `on`',
    ],
    [
      'a role in a list of ids',
      'duration: 5s\ntimeline: [{at: 1s, pause: [n1, leader]}]',
      '2:28: timeline[0].pause: found [n1, leader], expected a list of replica ids such as [n1, n3]; "leader" is none',
    ],
    [
      'a number in a list of ids',
      'duration: 5s\ntimeline: [{at: 1s, pause: [n1, 2]}]',
      '2:33: timeline[0].pause[1]: found 2, expected a replica id such as n1',
    ],
    [
      'sessions that expire before anybody can use them',
      'duration: 5s\ncluster: {sessions: {timeout: 5ms}}',
      '2:31: cluster.sessions.timeout: found "5ms", expected at least 1s',
    ],
    [
      'room for no session',
      'duration: 5s\ncluster: {sessions: {max: 0}}',
      '2:27: cluster.sessions.max: found 0, expected a whole number from 1 to 1000000',
    ],
    [
      'an empty list of ids',
      'duration: 5s\ntimeline: [{at: 1s, pause: []}]',
      '2:28: timeline[0].pause: found an empty list, expected at least one replica id, such as [n1]',
    ],
    [
      'a fault without a moment',
      'duration: 5s\ntimeline: [{pause: n1}]',
      `2:12: timeline[0].at: found nothing, expected ${durationWanted}`,
    ],
    [
      'an item without a fault',
      'duration: 5s\ntimeline:\n  - at: 1s',
      `3:5: timeline[0]: found a mapping with at, expected ${faultWanted}`,
    ],
    [
      'an item with two faults',
      'duration: 5s\ntimeline:\n  - {at: 1s, pause: n1, crash: n2}',
      `3:5: timeline[0]: found a mapping with at, pause, crash, expected ${faultWanted}`,
    ],
    [
      'a fault by its name alone',
      'duration: 5s\ntimeline: [partition]',
      '2:12: timeline[0]: found "partition", expected a mapping with keys out of at, for, every, times, partition, network, disk, clock, crash, pause, wipe, membership',
    ],
    [
      'a fault that lasts no time',
      'duration: 5s\ntimeline: [{at: 1s, for: 0s, pause: n1}]',
      '2:26: timeline[0].for: found "0s", expected a duration greater than 0ms',
    ],
    [
      'a shorthand where settings are needed',
      'duration: 5s\ntimeline: [{at: 1s, disk: leader}]',
      '2:27: timeline[0].disk: found "leader", expected a mapping with keys out of on, fail, times, hang, latency, full, rot, places',
    ],
    [
      'a disk fault that does not say what fails',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader}}]',
      '2:27: timeline[0].disk: found a mapping with on, expected exactly one of fail, hang, latency, full, rot',
    ],
    [
      'a window that holds no message',
      'duration: 5s\ncluster: {limits: {message: 2KiB, window: 1KiB}}',
      '2:43: cluster.limits.window: found "1KiB", expected at least a message (2048B)',
    ],
    [
      'a backlog below the window',
      'duration: 5s\ncluster: {limits: {disk-backlog: 4MiB}}',
      '2:34: cluster.limits.disk-backlog: found "4MiB", expected at least a window and a message (4456448B)',
    ],
    [
      'an overload beyond the end',
      'duration: 5s\nworkload: {overload: {at: 4s, for: 2s, operations-per-second: 10}}',
      '2:22: workload.overload: found a mapping with at, for, operations-per-second, expected an overload that is over before the run ends at 5s',
    ],
    [
      'refusals demanded where nothing is too much',
      'duration: 5s\nexpect: {overload-refused: true}',
      '2:28: expect.overload-refused: found true, expected an overload in the workload to test it',
    ],
    [
      'a disk that fails and hangs',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, fail: sync, hang: true}}]',
      '2:27: timeline[0].disk: found a mapping with on, fail, hang, expected exactly one of fail, hang, latency, full, rot',
    ],
    [
      'a disk that does not hang',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, hang: false}}]',
      '2:46: timeline[0].disk.hang: found false, expected true',
    ],
    [
      'a slow disk with a count',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, latency: 50ms, times: 2}}]',
      '2:62: timeline[0].disk.times: found 2, expected no `times` without `fail`',
    ],
    [
      'an operation that a disk has not',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, fail: reed}}]',
      '2:46: timeline[0].disk.fail: found "reed", expected one of read, write, sync; did you mean read?',
    ],
    [
      'a full disk that fails',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, full: true, fail: write}}]',
      '2:27: timeline[0].disk: found a mapping with on, full, fail, expected exactly one of fail, hang, latency, full, rot',
    ],
    [
      'a disk that is not full',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, full: false}}]',
      '2:46: timeline[0].disk.full: found false, expected true, or how much is left, such as 64KiB',
    ],
    [
      'a number for what is left of a disk',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, full: 4096}}]',
      '2:46: timeline[0].disk.full: found 4096, expected true, or how much is left, such as 64KiB',
    ],
    [
      'a size without its unit for what is left of a disk',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, full: "4096"}}]',
      '2:46: timeline[0].disk.full: found "4096", expected a size with its unit, such as 4096B, 256KiB or 2MiB',
    ],
    [
      'rot of what does not rot',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, rot: block}}]',
      '2:45: timeline[0].disk.rot: found "block", expected one of blocks, hard-state, identity, mark, floor, snapshots; did you mean blocks?',
    ],
    [
      'rot in no place',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, rot: blocks, places: 0}}]',
      '2:61: timeline[0].disk.places: found 0, expected a whole number from 1 to 1000',
    ],
    [
      'places on a full disk',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, full: true, places: 2}}]',
      '2:60: timeline[0].disk.places: found 2, expected no `places` without `rot`',
    ],
    [
      'rot with an end',
      'duration: 9s\ntimeline: [{at: 1s, for: 2s, disk: {on: leader, rot: blocks}}]',
      '2:26: timeline[0].for: found "2s", expected no `for`: what has rotten stays so, until it is repaired',
    ],
    [
      'a fault that comes again and again without a count',
      'duration: 9s\ntimeline: [{at: 1s, every: 2s, crash: n1}]',
      '2:28: timeline[0].every: found "2s", expected `times` beside `every`',
    ],
    [
      'a fault that comes several times at once',
      'duration: 9s\ntimeline: [{at: 1s, times: 2, crash: n1}]',
      '2:28: timeline[0].times: found 2, expected `every` beside `times`',
    ],
    [
      'a fault that comes once every so long',
      'duration: 9s\ntimeline: [{at: 1s, every: 2s, times: 1, crash: n1}]',
      '2:39: timeline[0].times: found 1, expected a whole number from 2 to 10000',
    ],
    [
      'a fault that comes again before it ended',
      'duration: 9s\ntimeline: [{at: 1s, for: 2s, every: 2s, times: 3, crash: n1}]',
      '2:37: timeline[0].every: found "2s", expected longer than `for` (2s): each time ends before the next begins',
    ],
    [
      'a fault that comes again when all is over',
      'duration: 9s\ntimeline: [{at: 1s, for: 1s, every: 2s, times: 5, crash: n1}]',
      '2:48: timeline[0].times: found 5, expected fewer: the last one starts at 9s and ends at 10s, and the run ends at 9s',
    ],
    [
      'a momentary fault that comes again when all is over',
      'duration: 9s\ntimeline: [{at: 1s, every: 4s, times: 3, disk: {on: n1, rot: mark}}]',
      '2:39: timeline[0].times: found 3, expected fewer: the last one starts at 9s, and the run ends at 9s',
    ],
    [
      'a change of the membership that comes again',
      'duration: 9s\ncluster: {spares: 1}\ntimeline: [{at: 1s, every: 2s, times: 2, membership: {add: n4}}]',
      '3:28: timeline[0].every: found "2s", expected no `every`: a membership is changed to another one once',
    ],
    [
      'a misspelled shape',
      'duration: 5s\ntimeline: [{at: 1s, partition: brigde}]',
      `2:32: timeline[0].partition: found "brigde", expected ${selectorWanted}; or a shape: bridge, ring; did you mean bridge?`,
    ],
    [
      'a partition of nobody',
      'duration: 5s\ntimeline: [{at: 1s, partition: {direction: incoming}}]',
      `2:32: timeline[0].partition.on: found nothing, expected ${selectorWanted}`,
    ],
    [
      'a shape with a direction',
      'duration: 5s\ntimeline: [{at: 1s, partition: {shape: bridge, direction: incoming}}]',
      '2:59: timeline[0].partition.direction: found "incoming", expected no `direction`: a shape cuts both ways',
    ],
    [
      'a shape with another side',
      'duration: 5s\ntimeline: [{at: 1s, partition: {shape: bridge, from: n1}}]',
      '2:54: timeline[0].partition.from: found "n1", expected no `from`: the shape says who sees whom',
    ],
    [
      'somebody in a ring',
      'duration: 5s\ntimeline: [{at: 1s, partition: {shape: ring, on: n1}}]',
      '2:50: timeline[0].partition.on: found "n1", expected no `on`: in a ring all replicas are alike',
    ],
    [
      'a ring of three',
      'duration: 5s\ntimeline: [{at: 1s, partition: ring}]',
      '2:32: timeline[0].partition: found "ring", expected a cluster of at least 4 replicas for a ring; it has 3',
    ],
    [
      'a bridge of two',
      'duration: 5s\ncluster: {replicas: 2}\ntimeline: [{at: 1s, partition: {shape: bridge}}]',
      '3:40: timeline[0].partition.shape: found "bridge", expected a cluster of at least 3 replicas for a bridge; it has 2',
    ],
    [
      'a bridge over two replicas',
      'duration: 5s\ncluster: {replicas: 5}\ntimeline: [{at: 1s, partition: {shape: bridge, on: minority}}]',
      '3:52: timeline[0].partition.on: found "minority", expected one replica between the two halves, such as leader, one follower or n1',
    ],
    [
      'a replica cut off from itself',
      'duration: 5s\ntimeline: [{at: 1s, partition: {on: n1, from: [n1]}}]',
      '2:47: timeline[0].partition.from: found [n1], expected somebody else than `on`: nobody is cut off from itself',
    ],
    [
      'strangers on the other side',
      'duration: 5s\ntimeline: [{at: 1s, partition: {on: n1, from: n7}}]',
      '2:47: timeline[0].partition.from: found "n7", expected ids from n1 to n3; not n7',
    ],
    [
      'reopening demanded of a disk that hangs',
      'duration: 5s\ntimeline: [{at: 1s, for: 2s, disk: {on: leader, hang: true}}]\nexpect: {storage-reopened: true}',
      '3:28: expect.storage-reopened: found true, expected a disk fault in the timeline to test it',
    ],
    [
      'repair demanded where nothing rots',
      'duration: 5s\ntimeline: [{at: 1s, disk: {on: leader, fail: write}}]\nexpect: {damage-repaired: true}',
      '3:27: expect.damage-repaired: found true, expected rot in the timeline to test it',
    ],
    [
      'settling where nothing happens',
      'duration: 5s\nexpect: {settles-within: 2s}',
      '2:26: expect.settles-within: found "2s", expected a fault in the timeline to test it',
    ],
    [
      'a disk fault with an end',
      'duration: 9s\ntimeline: [{at: 1s, for: 2s, disk: {on: leader, fail: write}}]',
      '2:26: timeline[0].for: found "2s", expected no `for`: a disk fault ends by itself after `times` operations',
    ],
    [
      'a network fault that changes nothing',
      'duration: 5s\ntimeline: [{at: 1s, network: {on: n1}}]',
      '2:30: timeline[0].network: found a mapping with on, expected at least one of latency, loss and duplicate',
    ],
    [
      'a clock fault that changes nothing',
      'duration: 5s\ntimeline: [{at: 1s, clock: {on: n1, offset: 0ms, rate: 1.0}}]',
      '2:28: timeline[0].clock: found a mapping with on, offset, rate, expected an offset other than 0ms or a rate other than 1.0',
    ],
    [
      'a change of the membership that changes nothing',
      'duration: 5s\ntimeline: [{at: 1s, membership: {}}]',
      '2:33: timeline[0].membership: found an empty mapping, expected at least one of add, add-learners, promote, demote, remove, replace',
    ],
    [
      'a role for a newcomer',
      'duration: 5s\ntimeline: [{at: 1s, membership: {add: leader}}]',
      '2:39: timeline[0].membership.add: found "leader", expected replica ids such as n4 or [n4, n5]',
    ],
    [
      'a replacement by nobody',
      'duration: 5s\ntimeline: [{at: 1s, membership: {replace: n1}}]',
      '2:43: timeline[0].membership.replace: found "n1", expected a mapping of replica ids to replica ids, such as {n1: n4}',
    ],
    [
      'a replacement of nobody',
      'duration: 5s\ntimeline: [{at: 1s, membership: {replace: {}}}]',
      '2:43: timeline[0].membership.replace: found an empty mapping, expected a mapping of replica ids to replica ids, such as {n1: n4}',
    ],
    [
      'a replacement by a role',
      'duration: 5s\ntimeline: [{at: 1s, membership: {replace: {n1: leader}}}]',
      '2:43: timeline[0].membership.replace: found a mapping with n1, expected a mapping of replica ids to replica ids, such as {n1: n4}; "leader" is no id',
    ],
    [
      'one replica for two places',
      'duration: 5s\ntimeline: [{at: 1s, membership: {replace: {n1: n4, n2: n4}}}]',
      '2:43: timeline[0].membership.replace: found a mapping with n1, n2, expected each replica once; n4 is there twice',
    ],
    [
      'a change of the membership with an end',
      'duration: 9s\ntimeline: [{at: 1s, for: 2s, membership: {remove: n1}}]',
      '2:26: timeline[0].for: found "2s", expected no `for`: a change of the membership ends when it is done',
    ],
    [
      'a segment smaller than the storage allows',
      'duration: 5s\ncluster: {segment: 63KiB}',
      '2:20: cluster.segment: found "63KiB", expected at least 64KiB',
    ],
    [
      'a size without unit',
      'duration: 5s\nexpect: {disk-at-most: 4096}',
      '2:24: expect.disk-at-most: found 4096, expected a size with its unit, such as 4096B, 256KiB or 2MiB',
    ],
    [
      'a clock rate too exact',
      'duration: 5s\ntimeline: [{at: 1s, clock: {on: n1, rate: 1.00005}}]',
      '2:43: timeline[0].clock.rate: found 1.00005, expected a multiple of the true rate from 0.1 to 10, to three decimals, such as 1.05',
    ],
    [
      'an endless clock rate',
      'duration: 5s\ntimeline: [{at: 1s, clock: {on: n1, rate: .inf}}]',
      '2:43: timeline[0].clock.rate: found Infinity, expected a multiple of the true rate from 0.1 to 10, to three decimals, such as 1.05',
    ],
    [
      'a fraction for a percentage',
      'duration: 5s\nnetwork: {loss: 0.05}',
      '2:17: network.loss: found 0.05, expected a percentage from 0% to 100%, with one decimal at most, such as 5% or 0.1%',
    ],
    [
      'a range the wrong way round',
      'duration: 5s\nnetwork: {latency: 9ms..1ms}',
      '2:20: network.latency: found "9ms..1ms", expected the shorter end first: 1ms..9ms',
    ],
    [
      'a yes of YAML 1.1',
      'duration: 5s\ntimeline: [{at: 1s, crash: {on: n1, power: yes}}]',
      '2:44: timeline[0].crash.power: found "yes", expected true or false',
    ],
    [
      'a mix of nothing',
      'duration: 5s\nworkload: {mix: {read: 0}}',
      '2:17: workload.mix: found a mapping with read, expected at least one weight above 0',
    ],
    [
      'a name with a space',
      'duration: 5s\nname: my case',
      '2:7: name: found "my case", expected a name of lower-case letters, digits and dashes',
    ],
  ])('%s', (_, text, message) => {
    expect(mistakesIn(text)).toEqual([message]);
  });
});

describe('settings that contradict each other are told', () => {
  const cluster = (settings: string): string => `duration: 1m\ncluster: {${settings}}`;
  const fault = (item: string, replicas = 3): string =>
    `duration: 1m\ncluster: {replicas: ${replicas}}\ntimeline: [{at: 5s, ${item}}]`;

  it.each<[string, string, string]>([
    [
      'a heartbeat above half of the election timeout',
      cluster('heartbeat: 251ms'),
      '2:22: cluster.heartbeat: found "251ms", expected a heartbeat of at most 250ms, half of the shortest election timeout (500ms)',
    ],
    [
      'an election timeout too short for the default heartbeat',
      cluster('election-timeout: 150ms..300ms'),
      '2:10: cluster: found a mapping with election-timeout, expected a heartbeat of at most 75ms, half of the shortest election timeout (150ms)',
    ],
    [
      'a fixed election timeout',
      cluster('election-timeout: 500ms'),
      '2:29: cluster.election-timeout: found "500ms", expected a range to draw from, above 0ms, such as 500ms..1s',
    ],
    [
      'an election timeout of nothing',
      cluster('election-timeout: 0ms..1s'),
      '2:29: cluster.election-timeout: found "0ms..1s", expected a range to draw from, above 0ms, such as 150ms..300ms',
    ],
    [
      'a latency beyond the election timeout',
      'duration: 1m\nnetwork: {latency: 250ms}',
      '2:20: network.latency: found "250ms", expected a latency of less than 250ms one way, or a round trip outlasts the shortest election timeout (500ms) and nobody is ever elected',
    ],
    [
      'a fault at the end',
      'duration: 5s\ntimeline: [{at: 5s, pause: n1}]',
      '2:17: timeline[0].at: found "5s", expected a moment before the end of the run at 5s',
    ],
    [
      'a fault beyond the end',
      'duration: 1m\ntimeline: [{at: 50s, for: 10.001s, pause: n1}]',
      '2:27: timeline[0].for: found "10.001s", expected at most 10s: the fault starts at 50s and the run ends at 1m',
    ],
    [
      'a replica that is not there',
      fault('pause: n4'),
      '3:28: timeline[0].pause: found "n4", expected ids from n1 to n3; not n4',
    ],
    [
      'two replicas that are not there',
      fault('pause: {on: [n1, n5, n4]}'),
      '3:33: timeline[0].pause.on: found [n1, n5, n4], expected ids from n1 to n3; not n5, n4',
    ],
    [
      'more followers than there are',
      fault('pause: 3 followers'),
      '3:28: timeline[0].pause: found "3 followers", expected at most 2 followers; the cluster has 3 replicas, and one of them leads',
    ],
    [
      'more followers than the one',
      fault('pause: 2 followers', 2),
      '3:28: timeline[0].pause: found "2 followers", expected at most 1 follower; the cluster has 2 replicas, and one of them leads',
    ],
    [
      'a follower in a cluster of one',
      fault('pause: follower', 1),
      '3:28: timeline[0].pause: found "follower", expected a selector other than followers; the cluster has 1 replica, and it leads',
    ],
    [
      'more at random than there are',
      fault('pause: 4 random'),
      '3:28: timeline[0].pause: found "4 random", expected at most 3 at random; the cluster has 3 replicas',
    ],
    [
      'a partition of everyone',
      fault('partition: {on: all}'),
      '3:37: timeline[0].partition.on: found "all", expected at least one replica on the other side of the partition',
    ],
    [
      'a partition of the only replica',
      fault('partition: leader', 1),
      '3:32: timeline[0].partition: found "leader", expected at least one replica on the other side of the partition',
    ],
    [
      'a newcomer without a machine',
      fault('membership: {add: [n3, n4, n5]}'),
      '3:39: timeline[0].membership.add: found [n3, n4, n5], expected ids of machines, n1 to n3; not n4, n5 (cluster.spares says how many)',
    ],
    [
      'a newcomer that is a member',
      fault('membership: {add: n3}'),
      '3:39: timeline[0].membership.add: found "n3", expected ids of no members; not n3',
    ],
    [
      'a member replaced by another one',
      fault('membership: {replace: {n1: n2}}'),
      '3:43: timeline[0].membership.replace: found a mapping with n1, expected ids of no members; not n2',
    ],
    [
      'a leaver that has left, by the time of the step and not by its place in the file',
      'duration: 1m\ntimeline:\n  - {at: 9s, membership: {remove: n3}}\n  - {at: 5s, membership: {remove: n3}}',
      '3:35: timeline[0].membership.remove: found "n3", expected ids of members, then n1, n2; not n3',
    ],
    [
      'a stranger replaced',
      'duration: 1m\ncluster: {spares: 2}\ntimeline: [{at: 5s, membership: {replace: {n4: n5}}}]',
      '3:43: timeline[0].membership.replace: found a mapping with n4, expected ids of members, then n1, n2, n3; not n4',
    ],
    [
      'a change that leaves nobody',
      fault('membership: {remove: [n1, n2, n3]}'),
      '3:33: timeline[0].membership: found a mapping with remove, expected at least one member to be left',
    ],
    [
      'a spare that is not there',
      'duration: 1m\ncluster: {spares: 1}\ntimeline: [{at: 5s, crash: n5}]',
      '3:28: timeline[0].crash: found "n5", expected ids from n1 to n4; not n5',
    ],
    [
      'a change of the membership that nobody asks for',
      'duration: 1m\nexpect: {membership-within: 5s}',
      '2:29: expect.membership-within: found "5s", expected a change of the membership in the timeline to test it',
    ],
    [
      'a storage that nothing makes reopen',
      'duration: 1m\nexpect: {storage-reopened: true}',
      '2:28: expect.storage-reopened: found true, expected a disk fault in the timeline to test it',
    ],
    [
      'reads by a lease without a bound on clocks',
      'duration: 1m\nworkload: {reads: lease}',
      '2:19: workload.reads: found "lease", expected a `clock-drift` of the cluster, such as 10%, or no reads by a lease',
    ],
    [
      'a stale read of a kind that is never stale',
      'duration: 1m\nexpect: {stale-read: true}',
      '2:22: expect.stale-read: found true, expected `reads: lease`: no other read is ever stale',
    ],
    [
      'a stale read that no clock explains',
      'duration: 1m\ncluster: {clock-drift: 10%}\nworkload: {reads: lease}\nexpect: {stale-read: true}\ntimeline: [{at: 1s, clock: {on: n1, rate: 0.9}}]',
      '4:22: expect.stale-read: found true, expected a clock fault in the timeline that drifts by more than the declared 10%',
    ],
    [
      'a transfer that nothing interrupts',
      'duration: 1m\nexpect: {snapshot-resumed: true}',
      '2:28: expect.snapshot-resumed: found true, expected a fault in the timeline that takes the leader away from a transfer',
    ],
    [
      'a new leader that nothing calls for',
      'duration: 1m\nexpect: {new-leader-within: 2s}',
      '2:29: expect.new-leader-within: found "2s", expected a fault in the timeline to test it',
    ],
    [
      'a step down that nothing calls for',
      `${fault('pause: n1')}\nexpect: {step-down-within: 2s}`,
      '4:28: expect.step-down-within: found "2s", expected a partition or network fault in the timeline to test it',
    ],
  ])('%s', (_, text, message) => {
    expect(mistakesIn(text)).toEqual([message]);
  });

  it.each([
    ['a heartbeat of half the election timeout', cluster('heartbeat: 250ms')],
    ['a latency just below half the election timeout', 'duration: 1m\nnetwork: {latency: 249ms}'],
    ['all but one of the followers and the leader', fault('pause: 2 followers')],
    ['everyone at random', fault('pause: 3 random')],
    ['the last replica', fault('pause: n3')],
    ['a partition of all but one', fault('partition: 2 random')],
    ['one of two replicas cut off', fault('partition: minority', 2)],
    ['a crash of everyone', fault('crash: all')],
    ['the smallest segment that the storage allows', cluster('segment: 64KiB')],
    ['a member that comes back', fault('membership: {remove: n3}}, {at: 9s, membership: {add: n3}')],
    [
      'anybody once the leader, whoever it is, was removed',
      fault('membership: {remove: leader}}, {at: 9s, membership: {add: n1}'),
    ],
    [
      'more followers than at first, in a cluster that grows',
      'duration: 1m\ncluster: {spares: 1}\ntimeline: [{at: 5s, membership: {add: n4}}, {at: 9s, pause: 3 followers}]',
    ],
  ])('but not %s', (_, text) => {
    expect(mistakesIn(text)).toEqual([]);
  });
});

describe('a text that is no YAML is told', () => {
  it.each<[string, string, string]>([
    ['an empty text', '', '1:1: found an empty document, expected a scenario: at least `duration: 30s`'],
    [
      'only comments',
      '# a\n# b\n',
      '1:1: found an empty document, expected a scenario: at least `duration: 30s`',
    ],
    ['only null', '~', '1:1: found an empty document, expected a scenario: at least `duration: 30s`'],
    ['only a word', 'hello', `1:1: found "hello", expected a mapping with keys out of ${topLevel}`],
    ['a tab', 'duration: 5s\ncluster:\n\treplicas: 3', '3:1: found a tab as indentation, expected spaces'],
    [
      'two documents',
      'duration: 5s\n---\nduration: 6s',
      '2:1: found a second document after ---, expected one scenario a file',
    ],
    [
      'a key twice',
      'duration: 5s\nname: a\nduration: 6s',
      '3:1: found the key duration a second time, expected each key once',
    ],
    [
      'a key twice in a flow',
      'duration: 5s\ncluster: {"replicas": 3, "replicas": 5}',
      '2:26: found the key "replicas" a second time, expected each key once',
    ],
    [
      'a value of two',
      'duration: a: b',
      '1:11: found "duration: a: b", expected valid YAML (Nested mappings are not allowed in compact mappings)',
    ],
    [
      'a reserved character',
      'duration: @x',
      '1:11: found "duration: @x", expected valid YAML (Plain value cannot start with reserved character @)',
    ],
    [
      'an unknown tag',
      'duration: !seconds 5',
      '1:11: found "duration: !seconds 5", expected valid YAML (Unresolved tag: !seconds)',
    ],
    [
      'an alias',
      'duration: &a 5s\nworkload: {timeout: *a}',
      '2:21: found the alias *a, expected the value itself; aliases are not used here',
    ],
    [
      'an alias of nothing',
      'duration: *a',
      '1:11: found the alias *a, expected the value itself; aliases are not used here',
    ],
  ])('%s', (_, text, message) => {
    expect(mistakesIn(text)).toEqual([message]);
  });

  it('a bomb of aliases is refused before it goes off', () => {
    const lists = Array.from({ length: 30 }, (_, i) => `- &l${i + 1} [${`*l${i}, `.repeat(10)}]`);
    const found = mistakesIn(`- &l0 x\n${lists.join('\n')}`);
    expect(found).toHaveLength(300);
    expect(found[0]).toBe('2:8: found the alias *l0, expected the value itself; aliases are not used here');
  });

  it('nesting without end is one mistake', () => {
    for (const open of ['[', '{a: ', '- ']) {
      const found = mistakesIn(`duration: 5s\ntimeline:\n  ${open.repeat(50_000)}`);
      expect(found, open).toHaveLength(1);
      expect(found[0]).toMatch(
        /nesting too deep to be read, expected a scenario, which has 5 levels at most$/,
      );
    }
  });

  it('a text too large to be a scenario is not read at all', () => {
    expect(mistakesIn(`duration: 5s\n#${'x'.repeat(300_000)}`)).toEqual([
      '1:1: found 300014 characters, expected a scenario of at most 262144 characters',
    ]);
  });
});

describe('several mistakes', () => {
  it('are all told at once, in the order of the file', () => {
    const text = `
duration: 10s
duration: 20s
cluster: {replicas: 3, replica: 5, heartbeat: 400ms}
timeline:
  - at: 30s
    pasue: leader
  - at: 15s
    for: 20s
    crash: n9
  - partition: leader
    crash: n1
  - at: 1s
    partition: {on: everyone, direction: sideways}
expect: {recovery-within: soon}
`;
    expect(mistakesIn(text).map((line) => line.replace(/, expected.*/, ''))).toEqual([
      '3:1: found the key duration a second time',
      '4:24: cluster: found the unknown key "replica"',
      '4:47: cluster.heartbeat: found "400ms"',
      '7:5: timeline[0]: found the unknown key "pasue"',
      '9:10: timeline[1].for: found "20s"',
      '10:12: timeline[1].crash: found "n9"',
      '11:5: timeline[2].at: found nothing',
      '11:5: timeline[2]: found a mapping with partition, crash',
      '14:21: timeline[3].partition.on: found "everyone"',
      '14:42: timeline[3].partition.direction: found "sideways"',
      '15:27: expect.recovery-within: found "soon"',
    ]);
  });

  it('are there as data too', () => {
    try {
      parseScenario({ text: 'duration: 5\nclusters: 3', file: 'cases/x.yaml' });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ScenarioError);
      expect(error).toMatchObject({
        name: 'ScenarioError',
        code: 'KONTIKI_SCENARIO_INVALID',
        file: 'cases/x.yaml',
        mistakes: [
          { line: 1, column: 11, where: 'duration', found: '5' },
          { line: 2, column: 1, where: '', found: 'the unknown key "clusters"' },
        ],
      });
    }
  });
});
