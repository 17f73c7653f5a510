import { describe, it } from 'vitest';
import { type ConformanceFixture, transportConformance } from '../../src/transport/conformance.ts';
import { memoryNetwork } from '../../src/transport/memory.ts';
import { tcpTransport } from '../../src/transport/tcp.ts';

transportConformance({ describe, it }, 'memory', (): ConformanceFixture => {
  const network = memoryNetwork();
  let made = 0;
  return {
    endpoint(at) {
      made += 1;
      return network.transport(at ?? `endpoint ${made}`);
    },
  };
});

transportConformance(
  { describe, it },
  'TCP',
  (): ConformanceFixture => ({
    endpoint(at) {
      return tcpTransport({ listen: at ?? '127.0.0.1:0', reconnect: { fromMs: 5, toMs: 20 } });
    },
  }),
);
