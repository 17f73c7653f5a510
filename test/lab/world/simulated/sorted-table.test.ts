import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SortedTable } from '../../../../lab/world/simulated/sorted-table.ts';

const key = fc.constantFrom('', 'a', 'ab', 'b');
const change = fc.oneof(
  fc.record({ key, value: fc.uint8Array({ maxLength: 5 }) }),
  fc.record({ key, value: fc.constant(null) }),
  fc.constantFrom('copy', 'view'),
);

test('a table counts the bytes of all its keys and values, whatever is put, deleted, copied or viewed', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      let table = new SortedTable();
      for (const one of changes) {
        if (one === 'copy') table = table.copy();
        else if (one === 'view') table.view();
        else if (typeof one === 'object' && one.value !== null) table.put(one.key, one.value);
        else if (typeof one === 'object') table.delete(one.key);
        const view = table.view();
        const counted = view.keys.reduce((sum, at) => sum + at.length + (view.value(at)?.length ?? 0), 0);
        view.release();
        expect(table.bytes).toBe(counted);
      }
    }),
  );
});
