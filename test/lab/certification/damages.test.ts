import { describe, expect, it } from 'vitest';
import { type Damage, flips, largeDamages, missingFiles } from '../../../lab/certification/damages.ts';
import type { Image } from '../../../lab/certification/image.ts';
import { RecordedDatabase } from '../../../lab/certification/recorded-database.ts';
import { SimulatedRandom } from '../../../lab/world/simulated/random.ts';

const random = () => SimulatedRandom.fromSeed(1);
const imageOf = (files: Record<string, string>, batches: Image['databases'] = new Map()): Image => ({
  folders: ['/db'],
  files: new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)])),
  databases: batches,
});

const put = (key: string, value: string) => ({ key, value: Buffer.from(value) });
const database = (...batches: { key: string; value: Uint8Array | null }[][]): Image['databases'] =>
  new Map([['/db', { batches, opens: true }]]);

/** What a program reads in the damaged database. */
function read({ image }: Damage): string {
  const damaged = image.databases.get('/db');
  if (damaged?.opens !== true) return 'does not open';
  const entries = new RecordedDatabase(damaged).entries();
  return entries.map(({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value)}`).join(' ');
}

describe('one damage', () => {
  it('of a file is each bit of it, and nothing else of the disk', () => {
    const image = imageOf({ '/a': 'ab', '/b': 'c' });
    const damages = flips(image, random()).map((make) => make());
    expect(damages).toHaveLength(24);
    const contents = damages.map(({ image: { files } }) => [...files.values()].join(','));
    expect(new Set(contents).size).toBe(24);
    expect(contents).toContain('ab,b');
    expect(contents).toContain('\u0061c,c');
    expect(image.files.get('/a')).toEqual(Buffer.from('ab'));
  });

  it('of a long file is one bit of each byte that is not zero, and some of the others', () => {
    const long = imageOf({ '/a': `${'\0'.repeat(20_000)}end` });
    const damages = flips(long, random()).map((make) => make());
    expect(damages.length).toBeGreaterThan(400);
    for (const at of [20_000, 20_001, 20_002]) {
      expect(damages.filter(({ what }) => what.includes(`byte ${at} `))).toHaveLength(1);
    }
  });

  it('of a file is its absence, its sectors as zeros, and its end cut off', () => {
    const image = imageOf({ '/a': 'x'.repeat(600) });
    expect(missingFiles(image).map(({ image: { files } }) => files.size)).toEqual([0]);
    const told = largeDamages(image, random()).map(({ what }) => what);
    expect(told).toEqual([
      '/a reads as zeros',
      'the sector at 0 of /a reads as zeros',
      'the sector at 512 of /a reads as zeros',
      '/a ends after 0 of 600 bytes',
      '/a ends after 512 of 600 bytes',
      '/a ends after 300 of 600 bytes',
      '/a ends after 599 of 600 bytes',
    ]);
  });

  it('of a database is what LevelDB was seen to do', () => {
    const batches = database([put('a', '1')], [put('b', '2')], [put('a', '3')], [{ key: 'b', value: null }]);
    const damages = largeDamages(imageOf({}, batches), random());
    const of = (kind: string): string[] => damages.filter((one) => one.kind === kind).map(read);
    expect(of('an empty database')).toEqual(['']);
    expect(of('a corrupt database')).toEqual(['does not open']);
    // Of deletes and overwrites that vanish, what was before them is back.
    expect(of('records vanished')).toEqual([
      ...['a=3', 'a=3', '', ''],
      ...['a=3', 'a=1', 'a=1'],
      ...['a=1', 'a=1 b=2'],
      'a=3 b=2',
    ]);
    expect(of('an older value')).toEqual(['a=1', 'a=3 b=2']);
    const changed = of('a changed value');
    expect(changed).toHaveLength(1);
    expect(changed[0]).toMatch(/^a=[^3]$/);
  });
});
