/** The resolver as the API shows it: how answers come about, and what is counted. */

import {
  type Explanation,
  type Name,
  parseName,
  printName,
  printRecord,
  TYPE,
  typeNumber,
} from '#resolver';
import {
  type DecisionView,
  type ExplainQuery,
  type ExplanationView,
  type ResolverBackend,
  WebAdminError,
} from '#web-admin';
import type { House } from '../house.ts';
import { gauge, METRICS_TYPE, printMetrics, resolverMetrics } from '../metrics.ts';
import { findDevice, viewWhy } from './views.ts';

/** Makes that part of the backend. */
export function createResolverBackend(house: House): ResolverBackend {
  return {
    explain: (query) => explain(house, query),
    metrics: async () => ({ text: await metrics(house), type: METRICS_TYPE }),
  };
}

/** Device names may be short; all else is a name of the internet. */
async function explain(house: House, query: ExplainQuery): Promise<ExplanationView> {
  const { devices, apex } = house.household();
  const text = query.name.toLowerCase().replace(/\.$/, '');
  const name = parseName(findDevice(devices, text)?.fqdn ?? query.name);
  const type = typeNumber(query.type);
  if (name === undefined || query.name === '') {
    throw new WebAdminError('invalid', `'${query.name}' is not a name.`);
  }
  if (type === undefined) throw new WebAdminError('invalid', `There is no type ${query.type}.`);
  const { asker } = query;
  const words = printName(name).replace(/\.$/, '');
  const ruling = viewWhy(house, { name: words, ...(asker === undefined ? {} : { asker }) });
  const isOurs = `.${words.toLowerCase()}`.endsWith(`.${apex}`);
  // The zone's own DS is its parent's (RFC 4035 §3.1.4.1), if that knows of it.
  const isAbove = type === TYPE.DS && words.toLowerCase() === apex;
  const found =
    isOurs && !isAbove ? undefined : await house.resolver.explain(name, type, query.isFresh);
  const own = found === undefined || (isOurs && found.rcode === 'NXDOMAIN');
  const told = own ? fromZone(house, name, type, query.type) : found;
  return { ...told, ruling: ruling satisfies DecisionView, own };
}

/** What our own zone has: nobody is asked, and nothing has to be believed. */
function fromZone({ projection }: House, name: Name, type: number, typeText: string): Explanation {
  const { records } = projection().zone;
  const isAt = ({ key }: Name) => key === name.key;
  const found = records.filter((record) => isAt(record.owner) && record.type === type);
  const exists = records.some(({ owner }) => owner.key.endsWith(name.key));
  const missing = exists ? 'no-data' : 'no-name';
  const question = { name: printName(name), type: typeText };
  const result = {
    from: 'zone',
    what: found.length > 0 ? 'answer' : missing,
    records: found.map((record) => printRecord(record)),
    signatures: [],
  };
  return {
    ...question,
    rcode: exists ? 'NOERROR' : 'NXDOMAIN',
    answers: result.records,
    names: [{ ...question, result, verdict: { state: 'unchecked' } }],
    ...{ chain: [], steps: [], isCut: false },
  };
}

async function metrics({ resolver, store, tunnels, ...house }: House): Promise<string> {
  const { peers, state } = await tunnels.status();
  const up = peers.filter((peer) => peer.state === 'up').length;
  return printMetrics([
    ...resolverMetrics(resolver),
    gauge('nymote_tunnels_on', 'Whether tunnels can be made.', state === 'up' ? 1 : 0),
    gauge('nymote_tunnels_up', 'Tunnels that are up.', up),
    gauge('nymote_tunnels', 'Devices that there may be a tunnel to.', peers.length),
    gauge('nymote_store_head_seq', 'Changes that lead to the head of the store.', store.seq),
    gauge('nymote_clock_set', 'Whether it is known what time it is.', house.clock.isSet() ? 1 : 0),
    gauge('nymote_uptime_seconds', 'Seconds since the start.', house.uptimeSeconds()),
    gauge('nymote_memory_bytes', 'Resident memory.', house.memoryBytes()),
  ]);
}
