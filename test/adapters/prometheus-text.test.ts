import { describe, expect, it } from 'vitest';
import { histogramsOf, parsePrometheus } from './prometheus-text.ts';

const good =
  '# HELP a_total All.\n# TYPE a_total counter\na_total{x="1",y="q\\"\\\\\\n"} 5\na_total 6.5e-7\n';

describe('the parser of the text format', () => {
  it('takes what is right', () => {
    expect([...parsePrometheus(`${good}\n# HELP b B.\n# TYPE b gauge\n`)]).toEqual([
      [
        'a_total',
        {
          name: 'a_total',
          help: 'All.',
          type: 'counter',
          samples: [
            { name: 'a_total', labels: { x: '1', y: 'q"\\\n' }, value: 5 },
            { name: 'a_total', labels: {}, value: 6.5e-7 },
          ],
        },
      ],
      ['b', { name: 'b', help: 'B.', type: 'gauge', samples: [] }],
    ]);
  });

  it.each([
    ['no end of the last line', good.slice(0, -1), /last line/],
    ['no help', '# TYPE a counter\na 1\n', /no HELP/],
    ['no type', '# HELP a A.\na 1\n', /no HELP or no TYPE/],
    ['a type that there is not', '# HELP a A.\n# TYPE a count\na 1\n', /no type/],
    ['a name with a dash', '# HELP a-b A.\n# TYPE a-b gauge\n', /no name of a metric/],
    ['a metric twice', `${good}# HELP b B.\n# TYPE b gauge\nb 1\n${good}`, /a_total comes twice/],
    ['a sample of another metric', '# HELP a A.\n# TYPE a gauge\nb 1\n', /not of a/],
    ['a sample without a metric', 'b 1\n', /no sample/],
    ['a bucket of a gauge', '# HELP a A.\n# TYPE a gauge\na_bucket{le="1"} 1\n', /not of a/],
    ['a value that is none', '# HELP a A.\n# TYPE a gauge\na NaN\n', /no finite value/],
    ['a value that is a word', '# HELP a A.\n# TYPE a gauge\na null\n', /no finite value/],
    ['a label without quotes', '# HELP a A.\n# TYPE a gauge\na{x=1} 1\n', /no labels/],
    ['a label with a dash', '# HELP a A.\n# TYPE a gauge\na{x-y="1"} 1\n', /no name of a label/],
    ['a label twice', '# HELP a A.\n# TYPE a gauge\na{x="1",x="2"} 1\n', /label x twice/],
    [
      'the same labels twice',
      '# HELP a A.\n# TYPE a gauge\na{x="1",y="2"} 1\na{y="2",x="1"} 2\n',
      /same labels/,
    ],
    ['a comment after samples', '# HELP a A.\n# TYPE a gauge\na 1\n# HELP a B.\n', /after its samples/],
  ])('refuses %s', (_what, text, why) => {
    expect(() => parsePrometheus(text)).toThrow(why);
  });
});

describe('histograms', () => {
  const read = (samples: string) => {
    const family = parsePrometheus(`# HELP h H.\n# TYPE h histogram\n${samples}`).get('h');
    if (family === undefined) throw new Error('there is none');
    return histogramsOf(family);
  };
  const buckets = (one: number, two: number, all: number) =>
    `h_bucket{le="1"} ${one}\nh_bucket{le="2"} ${two}\nh_bucket{le="+Inf"} ${all}\n`;

  it('are taken when their parts agree', () => {
    expect(read(`${buckets(1, 3, 3)}h_sum 4.5\nh_count 3\n`)).toMatchObject([
      { count: 3, sum: 4.5, labels: {} },
    ]);
  });

  it.each([
    ['no sum', `${buckets(1, 3, 3)}h_count 3\n`, /no sum/],
    ['no count', `${buckets(1, 3, 3)}h_sum 4.5\n`, /no count/],
    [
      'a count that is not the last bucket',
      `${buckets(1, 3, 3)}h_sum 4.5\nh_count 4\n`,
      /\+Inf is not the count/,
    ],
    ['no last bucket', 'h_bucket{le="1"} 3\nh_sum 2\nh_count 3\n', /\+Inf/],
    ['buckets that do not add up', `${buckets(3, 1, 3)}h_sum 4.5\nh_count 3\n`, /fewer than the one before/],
    [
      'a sum above what the buckets allow',
      `${buckets(1, 3, 3)}h_sum 5.1\nh_count 3\n`,
      /the sum 5.1 is not in 2..5/,
    ],
    ['a sum below', `${buckets(1, 3, 3)}h_sum 1.9\nh_count 3\n`, /the sum 1.9/],
  ])('are refused with %s', (_what, samples, why) => {
    expect(() => read(samples)).toThrow(why);
  });
});
