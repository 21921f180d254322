/**
 * What Prometheus reads: counts and sizes as text, without names and without people.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4)
 * Pure: numbers in, text out.
 */

import { METRIC_BOUNDS, type Resolver } from '#resolver';

/** The media type of `printMetrics`. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string>>;

type Sample = {
  readonly value: number;
  readonly labels?: Labels;
  /** Of a histogram: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
};

/** Samples of one name. */
export type Family = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
};

/** The text. */
export function printMetrics(families: readonly Family[]): string {
  const lines = families.flatMap(({ name, type, help, samples }) => [
    `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(
      ({ value, labels = {}, suffix = '' }) => `${name}${suffix}${printLabels(labels)} ${value}`,
    ),
  ]);
  return `${lines.join('\n')}\n`;
}

function printLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** A count without labels. */
export const counter = (name: string, help: string, value: number): Family => ({
  ...{ name, type: 'counter', help },
  samples: [{ value }],
});

/** A size or a state without labels. */
export const gauge = (name: string, help: string, value: number): Family => ({
  ...{ name, type: 'gauge', help },
  samples: [{ value }],
});

/** All that a resolver counts. */
export function resolverMetrics(resolver: Pick<Resolver, 'stats' | 'metrics'>): Family[] {
  const stats = resolver.stats();
  const { answers, recursion, verdicts, upstreamTimeouts } = resolver.metrics();
  return [
    ...answerMetrics(answers, stats),
    counter('nymote_cache_hits_total', 'Answers from the cache, with repeated.', stats.cacheHits),
    counter('nymote_cache_misses_total', 'Answers that others were asked for.', recursion.count),
    gauge('nymote_cache_bytes', 'Bytes that the cache holds.', stats.cacheBytes),
    gauge('nymote_cache_entries', 'Entries in the cache.', stats.cacheEntries),
    histogram(recursion),
    gauge('nymote_recursion_in_flight', 'Questions that wait for others.', stats.inFlight),
    counter('nymote_upstream_sends_total', 'Questions to other servers.', stats.upstreamSends),
    counter('nymote_upstream_timeouts_total', 'Of these, unanswered in time.', upstreamTimeouts),
    {
      name: 'nymote_validation_verdicts_total',
      type: 'counter',
      help: 'What validation made of what was found, each time it was found anew.',
      samples: Object.entries(verdicts).map(([state, value]) => ({ value, labels: { state } })),
    },
  ];
}

type Counts = ReturnType<Resolver['metrics']>;

function answerMetrics(
  answers: Counts['answers'],
  { datapath }: ReturnType<Resolver['stats']>,
): Family[] {
  const isUp = typeof datapath !== 'string';
  return [
    {
      name: 'nymote_dns_answers_total',
      type: 'counter',
      help: 'Answers by transport, source and response code; without those that were repeated.',
      samples: answers.map(({ transport, from, rcode, count }) => ({
        value: count,
        labels: { transport, source: from, rcode },
      })),
    },
    counter('nymote_dns_repeated_total', 'Answers of the datapath.', isUp ? datapath.hits : 0),
    gauge('nymote_datapath_up', 'Whether there is a datapath.', isUp ? 1 : 0),
  ];
}

function histogram({ upTo, seconds, count }: Counts['recursion']): Family {
  const bucket = (bound: string, value: number): Sample => ({
    ...{ suffix: '_bucket', value },
    labels: { le: bound },
  });
  return {
    name: 'nymote_recursion_seconds',
    type: 'histogram',
    help: 'Time until an answer that others were asked for.',
    samples: [
      ...upTo.map((value, at) => bucket(String(METRIC_BOUNDS[at]), value)),
      bucket('+Inf', count),
      { suffix: '_sum', value: seconds },
      { suffix: '_count', value: count },
    ],
  };
}
