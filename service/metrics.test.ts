import { expect, test } from 'vitest';
import { type Family, gauge, printMetrics, resolverMetrics } from './metrics.ts';

/* A reader as strict as the format's description, and no kinder than Prometheus itself */

type Read = {
  readonly type: string;
  readonly help: string;
  readonly samples: { name: string; labels: Record<string, string>; value: number }[];
};

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const VALUE = String.raw`[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|Inf)|NaN`;
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (${VALUE})$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=[a-zA-Z_])|$)/;

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ''; ) {
    const [whole = '', name = '', value = ''] = LABEL.exec(rest) ?? [];
    if (whole === '' || name in labels) throw new Error(`labels: ${rest}`);
    labels[name] = value.replace(/\\(.)/g, (_, each: string) => (each === 'n' ? '\n' : each));
    rest = rest.slice(whole.length);
  }
  return labels;
}

function read(text: string): Map<string, Read> {
  expect(text).toMatch(/^[^\r]*\n$/);
  const families = new Map<string, Read>();
  for (const block of text.slice(0, -1).split(/^(?=# HELP )/m)) {
    const [name, family] = readFamily(block.replace(/\n$/, '').split('\n'));
    if (families.has(name)) throw new Error(`twice: ${name}`);
    families.set(name, family);
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function readFamily([help = '', type = '', ...samples]: string[]): [string, Read] {
  const [, name = '', words = ''] = /^# HELP (\S+) (.+)$/.exec(help) ?? [];
  const [, same, kind = ''] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(type) ?? [];
  if (name === '' || same !== name) throw new Error(`${help} / ${type}`);
  const family: Read = { type: kind, help: words, samples: [] };
  for (const line of samples) readSample(line, name, family);
  return [name, family];
}

function readSample(line: string, current: string, family: Read): void {
  const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
  const suffix = name.startsWith(current) ? name.slice(current.length) : undefined;
  const allowed = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
  if (suffix === undefined || !allowed.includes(suffix)) {
    throw new Error(`not a sample of ${current}: ${line}`);
  }
  family.samples.push({ name, labels: readLabels(labels), value: Number(value) });
}

function checkFamily(name: string, { type, samples }: Read): void {
  const keys = samples.map((sample) => JSON.stringify([sample.name, sample.labels]));
  if (new Set(keys).size !== keys.length) throw new Error(`${name}: a sample is there twice`);
  if ((type === 'counter') !== name.endsWith('_total')) throw new Error(`${name} is a ${type}`);
  if (type === 'counter' && samples.some(({ value }) => !(value >= 0))) throw new Error(name);
  if (type !== 'histogram') return;
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => Number(labels['le']?.replace('Inf', 'Infinity')));
  const counts = buckets.map(({ value }) => value);
  const isAscending = (values: number[]) =>
    values.every((value, at) => at === 0 || value >= (values[at - 1] ?? 0));
  const total = samples.find((sample) => sample.name === `${name}_count`)?.value;
  if (!isAscending(bounds) || !isAscending(counts)) throw new Error(`${name}: not cumulative`);
  if (bounds.at(-1) !== Number.POSITIVE_INFINITY || counts.at(-1) !== total) throw new Error(name);
}

/* The resolver's */

const COUNTS = {
  answers: [
    { transport: 'udp', from: 'cache', rcode: 'NOERROR', count: 5 },
    { transport: 'doh', from: 'recursion', rcode: 'NXDOMAIN', count: 3 },
    { transport: 'tcp', from: 'forward', rcode: 'other', count: 1 },
  ],
  recursion: { upTo: [0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4], seconds: 2.75, count: 4 },
  verdicts: { secure: 3, insecure: 2, bogus: 1 },
  upstreamTimeouts: 7,
} as const;
const STATS = {
  ...{ questions: 100, cacheHits: 96, cacheBytes: 1e21, cacheEntries: 12, inFlight: 2 },
  ...{ upstreamSends: 40, datapath: 'not wanted' },
} as const;

function metricsOf(stats: object = {}) {
  const resolver = { stats: () => ({ ...STATS, ...stats }), metrics: () => COUNTS };
  return read(printMetrics(resolverMetrics(resolver as never)));
}

test.each([
  { name: 'nymote_cache_hits_total', value: 96, why: 'with those that threads repeated' },
  { name: 'nymote_cache_misses_total', value: 4, why: 'recursion and forwarders' },
  { name: 'nymote_cache_bytes', value: 1e21, why: 'however large' },
  { name: 'nymote_cache_entries', value: 12, why: 'as the cache says' },
  { name: 'nymote_upstream_sends_total', value: 40, why: 'all sends' },
  { name: 'nymote_upstream_timeouts_total', value: 7, why: 'sends without a reply' },
  { name: 'nymote_recursion_in_flight', value: 2, why: 'what is under way' },
  { name: 'nymote_datapath_up', value: 0, why: 'there is none' },
  { name: 'nymote_dns_repeated_total', value: 0, why: 'so it repeats nothing' },
])('$name is $value: $why', ({ name, value }) => {
  expect(metricsOf().get(name)?.samples).toEqual([{ name, labels: {}, value }]);
});

test('answers by transport, source and response code; verdicts by state', () => {
  const metrics = metricsOf();
  expect(metrics.get('nymote_dns_answers_total')?.samples[1]).toEqual({
    name: 'nymote_dns_answers_total',
    labels: { transport: 'doh', source: 'recursion', rcode: 'NXDOMAIN' },
    value: 3,
  });
  const verdicts = metrics.get('nymote_validation_verdicts_total')?.samples ?? [];
  expect(verdicts.map(({ labels, value }) => [labels['state'], value])).toEqual([
    ['secure', 3],
    ['insecure', 2],
    ['bogus', 1],
  ]);
});

test('the histogram is cumulative and ends in all', () => {
  const { type, samples } = metricsOf().get('nymote_recursion_seconds') ?? {};
  expect(type).toBe('histogram');
  expect(samples?.find(({ labels }) => labels['le'] === '0.1')?.value).toBe(2);
  expect(samples?.slice(-3).map(({ value }) => value)).toEqual([4, 2.75, 4]);
});

test('with a datapath', () => {
  const metrics = metricsOf({ datapath: { hits: 90 } });
  expect(metrics.get('nymote_datapath_up')?.samples[0]?.value).toBe(1);
  expect(metrics.get('nymote_dns_repeated_total')?.samples[0]?.value).toBe(90);
});

test('text of all kinds comes back as it was', () => {
  const label = 'a "quoted"\nback\\slash, {and}=more';
  const family: Family = {
    ...{ name: 'odd', type: 'gauge', help: 'back\\slash\nline' },
    samples: [{ value: -0.5, labels: { label, other: '' } }],
  };
  const text = printMetrics([family, gauge('next', 'one more', Number.NaN)]);
  expect(read(text).get('odd')?.samples).toEqual([
    { name: 'odd', labels: { label, other: '' }, value: -0.5 },
  ]);
});
