// Writes to a storage until it is killed, and tells of each entry once it is acknowledged.
// Arguments: directory, backend, codec.
import { fileStorage } from '../../../dist/src/storage/index.js';

const [directory, backend, codec] = process.argv.slice(2);
try {
  const instance = await fileStorage({ directory, backend, codec }).open({ id: 'n1' });
  const log = await instance.openLog('orders');
  process.stdout.write(`open ${instance.identity.boot}\n`);
  const term = log.recovered.hardState.term + 1;
  let index = log.recovered.lastIndex;
  let hardState = { term, votedFor: null };
  const write = async () => {
    for (;;) {
      index += 1;
      const mine = index;
      const entry = {
        kind: 'command',
        index: mine,
        term,
        payload: Buffer.from(`entry ${mine} of term ${term}`),
      };
      const request = { writeId: { boot: instance.identity.boot, sequence: mine }, entries: [entry] };
      const changes = hardState === null ? {} : { hardState };
      hardState = null;
      await log.write({ ...request, ...changes });
      process.stdout.write(`ack ${mine} ${term}\n`);
    }
  };
  await Promise.all([write(), write(), write(), write()]);
} catch (error) {
  process.stdout.write(`failed ${error.reason ?? error.message}\n`);
}
