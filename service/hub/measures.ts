/** What a hub counts, without realms and without people, for Prometheus. */

import { counter, type Family, gauge, printMetrics } from '../metrics.ts';

/** What was asked for, as far as it is counted. */
export type Action = (typeof ACTIONS)[number];

export type Measures = {
  answered(action: Action, status: number, milliseconds: number): void;
  took(commits: number, bytes: number): void;
  gave(bytes: number): void;
  /** `databaseBytes` undefined: the database does not answer. */
  print(streams: number, databaseBytes: number | undefined): string;
};

const ACTIONS = ['state', 'pull', 'push', 'watch', 'begin', 'public', 'members', 'other'] as const;
/** Upper ends of the histogram's buckets, in seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5] as const;

/** What a request is about. */
export function actionOf(method: string, path: string): Action {
  const [, , , realm, action] = path.split('/');
  if (method === 'PUT' && realm !== undefined && action === undefined) return 'begin';
  return ACTIONS.find((each) => each === action) ?? 'other';
}

/** Nothing has been counted. */
export function createMeasures(): Measures {
  const answers = new Map<string, { action: Action; status: string; count: number }>();
  const upTo: number[] = BOUNDS.map(() => 0);
  const sums = { seconds: 0, requests: 0, commits: 0, taken: 0, given: 0 };
  return {
    answered(action, status, milliseconds) {
      const key = `${action} ${status}`;
      const known = answers.get(key) ?? { action, status: String(status), count: 0 };
      known.count += 1;
      answers.set(key, known);
      // A stream lasts as long as somebody listens.
      if (action === 'watch') return;
      sums.requests += 1;
      sums.seconds += milliseconds / 1_000;
      BOUNDS.forEach((bound, at) => {
        if (milliseconds / 1_000 <= bound) upTo[at] = (upTo[at] ?? 0) + 1;
      });
    },
    took(commits, bytes) {
      sums.commits += commits;
      sums.taken += bytes;
    },
    gave(bytes) {
      sums.given += bytes;
    },
    print: (streams, databaseBytes) =>
      printMetrics([
        {
          name: 'nymote_hub_requests_total',
          type: 'counter',
          help: 'Requests by what they asked for and how they were answered.',
          samples: [...answers.values()].map(({ action, status, count }) => ({
            value: count,
            labels: { action, status },
          })),
        },
        durations(upTo, sums),
        counter('nymote_hub_commits_total', 'Commits that were stored.', sums.commits),
        counter('nymote_hub_taken_bytes_total', 'Bytes that were pushed.', sums.taken),
        counter('nymote_hub_given_bytes_total', 'Bytes that were pulled.', sums.given),
        gauge('nymote_hub_streams', 'Devices that listen for changes.', streams),
        gauge(
          'nymote_hub_database_up',
          'Whether PostgreSQL answers.',
          databaseBytes === undefined ? 0 : 1,
        ),
        gauge('nymote_hub_database_bytes', 'Size of the database.', databaseBytes ?? 0),
      ]),
  };
}

function durations(
  upTo: readonly number[],
  { seconds, requests }: { readonly seconds: number; readonly requests: number },
): Family {
  const bucket = (le: string, value: number) => ({ suffix: '_bucket', value, labels: { le } });
  return {
    name: 'nymote_hub_request_seconds',
    type: 'histogram',
    help: 'Time until the answer, without streams.',
    samples: [
      ...upTo.map((value, at) => bucket(String(BOUNDS[at]), value)),
      bucket('+Inf', requests),
      { suffix: '_sum', value: seconds },
      { suffix: '_count', value: requests },
    ],
  };
}
