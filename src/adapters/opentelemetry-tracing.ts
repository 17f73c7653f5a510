import type { ChannelListener } from 'node:diagnostics_channel';
import {
  type Context,
  context,
  type Span,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import {
  type ApplyMessage,
  channels,
  type NodeMessage,
  type ProposeMessage,
  type RangeMessage,
  type ReadMessage,
} from '../node/channels.ts';

/**
 * Traces proposals and reads of all nodes of this process.
 *
 * A span `raft.propose` begins in the caller's active context and ends with the outcome. Its events tell when the
 * command was appended to the leader's log, durable there and committed. Its child `raft.apply` is the call of the
 * state machine on this replica, and is active during it, so that spans made there are its children. The context
 * does not travel to other replicas: they apply the command untraced. A read is a span `raft.read`.
 *
 * @param options.tracerProvider - default: the global one.
 * @returns what ends it; spans under way end with it.
 */
export function traceNodes(options: { readonly tracerProvider?: TracerProvider } = {}): { stop(): void } {
  const tracing = new Tracing((options.tracerProvider ?? trace).getTracer('kontiki'));
  return { stop: () => tracing.stop() };
}

interface Proposal {
  readonly span: Span;
  /** The caller's, with the span in it. */
  readonly context: Context;
}

class Tracing {
  readonly #tracer: Tracer;
  readonly #proposals = new Map<ProposeMessage, Proposal>();
  readonly #reads = new Map<ReadMessage, Span>();
  readonly #applies = new Map<ApplyMessage, Span>();
  /** Proposals in a leader's log, by node and index. The latest at an index is the one that may be committed. */
  readonly #inLog = new Map<string, Map<number, ProposeMessage>>();
  readonly #stop: () => void;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
    const stops = [
      subscribe(channels.propose.start, (message: ProposeMessage) => this.#proposed(message)),
      subscribe(channels.propose.asyncEnd, (message: ProposeMessage) => this.#decided(message)),
      subscribe(channels.append, (message: ProposeMessage) => this.#appended(message)),
      subscribe(channels.persist, (message: RangeMessage) => this.#reached('raft.persist', message)),
      subscribe(channels.commit, (message: RangeMessage) => this.#reached('raft.commit', message)),
      subscribe(channels.apply.start, (message: ApplyMessage) => this.#applying(message)),
      // A call that returned a promise has neither at its end.
      subscribe(channels.apply.end, (message: ApplyMessage) => {
        if ('result' in message || 'error' in message) this.#applied(message);
      }),
      subscribe(channels.apply.asyncEnd, (message: ApplyMessage) => this.#applied(message)),
      subscribe(channels.read.start, (message: ReadMessage) => {
        this.#reads.set(message, this.#tracer.startSpan('raft.read', { attributes: attributesOf(message) }));
      }),
      subscribe(channels.read.asyncEnd, (message: ReadMessage) => {
        end(this.#reads.get(message), message);
        this.#reads.delete(message);
      }),
    ];
    this.#stop = () => {
      for (const stop of stops) stop();
    };
  }

  stop(): void {
    this.#stop();
    for (const span of [...this.#applies.values(), ...this.#reads.values()]) span.end();
    for (const { span } of this.#proposals.values()) span.end();
    for (const open of [this.#applies, this.#reads, this.#proposals, this.#inLog]) open.clear();
  }

  #proposed(message: ProposeMessage): void {
    const parent = context.active();
    const span = this.#tracer.startSpan(
      'raft.propose',
      { attributes: { ...attributesOf(message), 'raft.command.bytes': message.payloadBytes } },
      parent,
    );
    this.#proposals.set(message, { span, context: trace.setSpan(parent, span) });
  }

  #appended(message: ProposeMessage): void {
    const { entry } = message;
    const proposal = this.#proposals.get(message);
    if (entry === null || proposal === undefined) return;
    proposal.span.addEvent('raft.append', { 'raft.index': entry.index, 'raft.term': entry.term });
    const key = keyOf(message);
    const inLog = this.#inLog.get(key) ?? new Map<number, ProposeMessage>();
    inLog.set(entry.index, message);
    this.#inLog.set(key, inLog);
  }

  #reached(event: string, message: RangeMessage): void {
    const inLog = this.#inLog.get(keyOf(message));
    const { from, to, term } = message;
    if (inLog === undefined) return;
    const tell = (propose: ProposeMessage | undefined): void => {
      if (propose?.entry?.term === term) this.#proposals.get(propose)?.span.addEvent(event);
    };
    // Whichever is shorter: one proposal may wait within a long range, and many beyond a short one.
    if (to - from < inLog.size) for (let index = from; index <= to; index += 1) tell(inLog.get(index));
    else for (const [index, propose] of inLog) if (index >= from && index <= to) tell(propose);
  }

  /** An entry of another term at that index is not the one that was proposed. */
  #applying(message: ApplyMessage): void {
    const propose = this.#inLog.get(keyOf(message))?.get(message.index);
    if (propose?.entry?.term !== message.term) return;
    const proposal = this.#proposals.get(propose);
    if (proposal === undefined) return;
    const attributes = { ...attributesOf(message), 'raft.index': message.index, 'raft.term': message.term };
    const span = this.#tracer.startSpan('raft.apply', { attributes }, proposal.context);
    this.#applies.set(message, span);
    const within = trace.setSpan(proposal.context, span);
    const { around } = message;
    message.around = (call) => context.with(within, around === null ? call : () => around(call));
  }

  #applied(message: ApplyMessage): void {
    end(this.#applies.get(message), message);
    this.#applies.delete(message);
  }

  #decided(message: ProposeMessage): void {
    end(this.#proposals.get(message)?.span, message);
    this.#proposals.delete(message);
    const key = keyOf(message);
    const inLog = this.#inLog.get(key);
    if (message.entry === null || inLog?.get(message.entry.index) !== message) return;
    inLog.delete(message.entry.index);
    if (inLog.size === 0) this.#inLog.delete(key);
  }
}

function subscribe<Message>(
  channel: {
    subscribe(listener: ChannelListener): void;
    unsubscribe(listener: ChannelListener): unknown;
  },
  listener: (message: Message) => void,
): () => void {
  const heard: ChannelListener = (message) => listener(message as Message);
  channel.subscribe(heard);
  return () => channel.unsubscribe(heard);
}

function end(span: Span | undefined, outcome: { readonly error?: unknown }): void {
  if (span === undefined) return;
  if ('error' in outcome) {
    const { error } = outcome;
    const message = error instanceof Error ? error.message : String(error);
    span.recordException(error instanceof Error ? error : message);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  }
  span.end();
}

const keyOf = ({ id, group }: NodeMessage): string => `${id} ${group}`;

function attributesOf({ id, group }: NodeMessage): Record<string, string> {
  return { 'raft.replica': id, 'raft.group': group };
}
