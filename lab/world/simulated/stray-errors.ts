/** What a run wants to hear of errors that no code caught. */
export type StrayErrorListener = (error: unknown, origin: StrayOrigin) => void;
export type StrayOrigin = 'unhandled rejection' | 'uncaught exception';

/**
 * While simulations run, an unhandled rejection or an uncaught exception belongs to the one that took
 * the last step: after each step everything the step set off is drained, and Node reports strays within
 * that drain. Other listeners of the process (a test runner's) are set aside meanwhile, or a run that is
 * meant to fail, as in a property test that shrinks, would fail the whole test process too.
 */
const active: StrayErrorListener[] = [];
let blamed: StrayErrorListener | null = null;
let setAside: { event: StrayEvent; listeners: Listener[] }[] = [];

/** Until the returned function is called. */
export function listenForStrayErrors(listener: StrayErrorListener): () => void {
  if (active.length === 0) takeOver();
  active.push(listener);
  return () => {
    const at = active.indexOf(listener);
    if (at < 0) return;
    active.splice(at, 1);
    if (blamed === listener) blamed = null;
    if (active.length === 0) giveBack();
  };
}

/** The step that begins now is this listener's. */
export function blame(listener: StrayErrorListener): void {
  blamed = listener;
}

function takeOver(): void {
  for (const event of STRAY_EVENTS) {
    setAside.push({ event, listeners: process.rawListeners(event) as Listener[] });
    process.removeAllListeners(event);
  }
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
}

function giveBack(): void {
  process.off('unhandledRejection', onRejection);
  process.off('uncaughtException', onException);
  for (const { event, listeners } of setAside) {
    for (const listener of listeners) process.on(event, listener);
  }
  setAside = [];
}

function onRejection(error: unknown): void {
  report(error, 'unhandled rejection');
}

function onException(error: unknown): void {
  report(error, 'uncaught exception');
}

function report(error: unknown, origin: StrayOrigin): void {
  const listener = blamed ?? active[0];
  listener?.(error, origin);
}

type StrayEvent = 'unhandledRejection' | 'uncaughtException';
type Listener = (...args: unknown[]) => void;
const STRAY_EVENTS: readonly StrayEvent[] = ['unhandledRejection', 'uncaughtException'];
