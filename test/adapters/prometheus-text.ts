/** The metrics of one text, by name, as strict as the format's description: a mistake throws. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  /** That of the family, or with `_bucket`, `_sum` or `_count` for a histogram. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const TYPES: ReadonlySet<string> = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);

/** The text format 0.0.4, written from its description. @throws Error naming the line. */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const begun: { name: string; help: string | null; type: string | null; samples: Sample[] }[] = [];
  for (const [position, line] of text.split('\n').entries()) {
    const fail = (why: string): never => {
      throw new Error(`line ${position + 1}: ${why}: ${line}`);
    };
    if (line === '') continue;
    let current = begun.at(-1);
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      if (!NAME.test(name)) fail('no name of a metric');
      if (current?.name !== name) {
        current = { name, help: null, type: null, samples: [] };
        begun.push(current);
      }
      if (current.samples.length > 0) fail('after its samples');
      if (kind === 'HELP') {
        if (current.help !== null) fail('a second HELP');
        current.help = rest;
      } else {
        if (current.type !== null) fail('a second TYPE');
        if (!TYPES.has(rest)) fail('no type');
        current.type = rest;
      }
      continue;
    }
    const found = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found === null || current === undefined) return fail('no sample');
    const [, name = '', labels = '', value = ''] = found;
    const { name: family, type } = current;
    const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    if (!suffixes.some((suffix) => name === `${family}${suffix}`)) fail(`not of ${family}`);
    const parsed = Number(value);
    if (!/^[-+]?([0-9.]+(e[-+]?[0-9]+)?)$/i.test(value) || !Number.isFinite(parsed)) fail('no finite value');
    current.samples.push({ name, labels: labelsOf(labels, fail), value: parsed });
  }
  const families = new Map<string, Family>();
  for (const { name, help, type, samples } of begun) {
    if (help === null || type === null) throw new Error(`${name} has no HELP or no TYPE`);
    if (families.has(name)) throw new Error(`${name} comes twice`);
    families.set(name, { name, help, type, samples });
    const keys = samples.map((sample) => keyOf(sample));
    if (new Set(keys).size !== keys.length) throw new Error(`${name}: two samples with the same labels`);
  }
  return families;
}

function labelsOf(text: string, fail: (why: string) => never): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const [whole, name, value] =
      /^([^=,]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(rest) ?? fail('no labels');
    if (name === undefined || value === undefined || !LABEL.test(name)) return fail('no name of a label');
    if (name in labels) fail(`label ${name} twice`);
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    rest = rest.slice(whole.length);
  }
  return labels;
}

const keyOf = ({ name, labels }: Sample): string =>
  JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);

/** Each histogram of a family by its labels. @throws Error where buckets, count and sum contradict each other. */
export function histogramsOf({ name, type, samples }: Family): Histogram[] {
  if (type !== 'histogram') throw new Error(`${name} is a ${type}`);
  const found = new Map<
    string,
    { labels: Record<string, string>; buckets: [number, number][]; sum?: number; count?: number }
  >();
  for (const { name: sampleName, labels, value } of samples) {
    const { le, ...others } = labels;
    const key = keyOf({ name, labels: others, value });
    const one = found.get(key) ?? { labels: others, buckets: [] };
    found.set(key, one);
    if (sampleName.endsWith('_sum')) one.sum = value;
    else if (sampleName.endsWith('_count')) one.count = value;
    else one.buckets.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value]);
  }
  return [...found.values()].map(({ labels, buckets, sum, count }) => {
    const of = `${name} ${JSON.stringify(labels)}`;
    if (sum === undefined || count === undefined) throw new Error(`${of}: no sum or no count`);
    for (const [position, [le, cumulative]] of buckets.entries()) {
      const [leBefore, before] = buckets[position - 1] ?? [Number.NEGATIVE_INFINITY, 0];
      if (!(le > leBefore)) throw new Error(`${of}: bucket ${le} after ${leBefore}`);
      if (!(cumulative >= before)) throw new Error(`${of}: bucket ${le} has fewer than the one before`);
    }
    const [last, all] = buckets.at(-1) ?? [0, 0];
    if (last !== Number.POSITIVE_INFINITY || all !== count) throw new Error(`${of}: +Inf is not the count`);
    checkSum(of, buckets, sum);
    return { labels, count, sum, buckets };
  });
}

export interface Histogram {
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly (readonly [le: number, cumulative: number])[];
}

/** The sum lies between what it would be were all observations at the lower, or at the upper end of their buckets. */
function checkSum(of: string, buckets: readonly [number, number][], sum: number): void {
  let least = 0;
  let most = 0;
  for (const [position, [le, cumulative]] of buckets.entries()) {
    const [lower, before] = buckets[position - 1] ?? [0, 0];
    if (cumulative === before) continue;
    least += lower * (cumulative - before);
    most += le * (cumulative - before);
  }
  if (sum < least * 0.999_999 || sum > most * 1.000_001)
    throw new Error(`${of}: the sum ${sum} is not in ${least}..${most}`);
}
