import { type ApplyMessage, channels } from './channels.ts';
import type { Instruments } from './instruments.ts';
import { isPromiseLike } from './promise-like.ts';
import type { ApplyMeta, StateMachine } from './state-machine.ts';

type Applies<Command, Result> = Pick<StateMachine<Command, Result, unknown, unknown>, 'apply' | 'restore'>;

/** The user's state machine, with the time in `apply` measured, and each call told on its channel. */
export function observedStateMachine<Command, Result>(
  stateMachine: Applies<Command, Result>,
  instruments: Instruments,
): Applies<Command, Result> {
  const { clock, latencies } = instruments;
  return {
    get restore() {
      return stateMachine.restore?.bind(stateMachine);
    },
    apply(command, meta) {
      const beganAt = clock.now();
      const call = (): Result | Promise<Result> => stateMachine.apply(command, meta);
      const result = channels.apply.hasSubscribers ? traced(instruments, meta, call) : call();
      if (!isPromiseLike(result)) {
        latencies.stateMachine.observe(clock.now() - beganAt);
        return result;
      }
      // One `then` and no more: there are thenables that begin their work with each of them.
      return Promise.resolve(result).then((value) => {
        latencies.stateMachine.observe(clock.now() - beganAt);
        return value;
      });
    },
  } as Applies<Command, Result>;
}

/** As a TracingChannel does it, for a call that may or may not return a promise. */
function traced<Result>(
  { node }: Instruments,
  { index, term }: ApplyMeta,
  call: () => Result | Promise<Result>,
): Result | Promise<Result> {
  const { start, end, asyncStart, asyncEnd, error } = channels.apply;
  const message: ApplyMessage = { ...node, index, term, around: null };
  start.publish(message);
  const fail = (failure: unknown): void => {
    message.error = failure;
    error.publish(message);
  };
  let result: Result | Promise<Result>;
  try {
    result = message.around === null ? call() : (message.around(call) as Result | Promise<Result>);
    if (!isPromiseLike(result)) message.result = result;
  } catch (failure) {
    fail(failure);
    throw failure;
  } finally {
    end.publish(message);
  }
  if (!isPromiseLike(result)) return result;
  const settle = (): void => {
    asyncStart.publish(message);
    asyncEnd.publish(message);
  };
  return Promise.resolve(result).then(
    (value) => {
      message.result = value;
      settle();
      return value;
    },
    (failure: unknown) => {
      fail(failure);
      settle();
      throw failure;
    },
  );
}
