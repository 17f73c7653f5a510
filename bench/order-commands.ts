/** Bytes of each command. */
export const COMMAND_BYTES = 256;

const WORDS = ['please', 'leave', 'at', 'the', 'door', 'ring', 'twice', 'gift', 'fragile', 'call', 'before'];

/** Commands as a program would send them: JSON, alike in form and different in content. The same in each run. */
export function orderCommands(count: number): Uint8Array[] {
  const random = numbers(1);
  return Array.from({ length: count }, () => orderCommand(random));
}

function orderCommand(random: (below: number) => number): Uint8Array {
  const order = {
    type: 'order.placed',
    orderId: `ord-${100_000 + random(900_000)}`,
    customer: `customer-${random(5000)}`,
    items: [{ sku: `sku-${random(2000)}`, quantity: 1 + random(9), priceCents: random(100_000) }],
    currency: 'EUR',
    placedAt: new Date(1.7e12 + random(1e9)).toISOString(),
    note: '',
  };
  const room = COMMAND_BYTES - JSON.stringify(order).length;
  while (order.note.length < room) order.note += `${WORDS[random(WORDS.length)]} `;
  order.note = order.note.slice(0, room);
  return Buffer.from(JSON.stringify(order));
}

function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
