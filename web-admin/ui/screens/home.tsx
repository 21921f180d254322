/** Home: one sentence about how it is, then what needs a look, then the numbers. */

import { useState } from 'preact/hooks';
import type { Check, Peer, Status } from '../../schema.ts';
import { call, sentenceOf } from '../api.ts';
import { Icon } from '../icons.tsx';
import { Button, Card, CopyLine, Heading, Loaded, State, say } from '../parts.tsx';
import { AppliedCard } from '../pending.tsx';
import { status } from '../state.ts';
import { countWaiting, Together } from '../together.tsx';
import { bytes, duration, number, plural, sentence } from '../words.ts';

export function Home() {
  return (
    <>
      <Heading>{headlineOf(status.value.value, status.failure.value !== undefined)}</Heading>
      <Loaded resource={status} rows={4}>
        {(value) => <Overview status={value} />}
      </Loaded>
    </>
  );
}

function Overview({ status: now }: { readonly status: Status }) {
  const concerns = concernsOf(now);
  const name = `${now.device.name}.${now.apex}`;
  return (
    <>
      <p class="lead">
        This is <strong>{name}</strong>. {sentenceAbout(now)}
      </p>
      {concerns.length === 0 ? null : (
        <ul class="concerns" aria-label="What needs a look">
          {concerns.map((concern) => (
            <li key={concern} class="note warn">
              <Icon name="warning" />
              <p>{concern}</p>
            </li>
          ))}
        </ul>
      )}
      <Together status={now} />
      <Tunnels status={now} />
      <AppliedCard />
      <Card title="Ask it yourself">
        <p class="muted">From a terminal on this device:</p>
        <CopyLine text={digLine(now, name)} label="the command" />
      </Card>
      <Counters status={now} />
      <Doctor />
    </>
  );
}

function Tunnels({ status: { tunnels } }: { readonly status: Status }) {
  return (
    <Card title="Tunnels">
      {tunnels.state === 'off' ? (
        <>
          <State state="off" />
          <p class="muted">{sentence(tunnels.reason ?? 'no reason was given')}</p>
        </>
      ) : null}
      {tunnels.state === 'up' && tunnels.peers.length === 0 ? (
        <p class="muted">
          Ready, but there is no other device yet. <a href="#/devices">Add one</a>
        </p>
      ) : null}
      {tunnels.peers.length === 0 ? null : (
        <ul class="rows">
          {tunnels.peers.map((peer) => (
            <PeerRow key={peer.device} peer={peer} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function PeerRow({ peer }: { readonly peer: Peer }) {
  const isUsed = peer.rxBytes + peer.txBytes > 0;
  return (
    <li class="row">
      <span class="row-main">
        <strong>{peer.name}</strong>
        <span class="muted">{peer.why}</span>
        {isUsed ? (
          <span class="muted small">
            {bytes(peer.rxBytes)} in, {bytes(peer.txBytes)} out
          </span>
        ) : null}
      </span>
      <State state={peer.state} />
    </li>
  );
}

function Counters({
  status: { dns, store, uptimeSeconds, memoryBytes, version },
}: {
  readonly status: Status;
}) {
  const share = dns.questions === 0 ? 0 : Math.round((100 * dns.cacheHits) / dns.questions);
  const numbers: readonly (readonly [string, string])[] = [
    ['Questions answered', number(dns.questions)],
    ['From the cache', `${share} %`],
    ['Changes in history', number(store.commits)],
    ['Running for', duration(uptimeSeconds)],
    ['Memory', bytes(memoryBytes)],
    ['Version', version],
  ];
  return (
    <Card title="In numbers">
      <dl class="numbers">
        {numbers.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function Doctor() {
  const [checks, setChecks] = useState<readonly Check[] | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  async function examine(): Promise<void> {
    setBusy(true);
    try {
      const { value } = await call<{ checks: readonly Check[] }>('GET', '/doctor');
      setChecks(value.checks);
      const wrong = value.checks.filter(({ ok }) => !ok).length;
      say(wrong === 0 ? 'Every check passed.' : `${plural(wrong, 'check')} failed.`);
    } catch (thrown) {
      say(sentenceOf(thrown));
    }
    setBusy(false);
  }
  return (
    <Card title="Check-up">
      <p class="muted">Tries what nymote depends on: ports, clock, keys, tools, the way out.</p>
      <Button isBusy={isBusy} onClick={() => void examine()}>
        {isBusy ? 'Checking…' : 'Check everything'}
      </Button>
      {checks === undefined ? null : (
        <ul class="rows">
          {checks.map(({ name, ok, detail, fix }) => (
            <li key={name} class={`check ${ok ? 'good' : 'bad'}`}>
              <Icon name={ok ? 'check' : 'warning'} />
              <span class="row-main">
                <strong>
                  {name}
                  <span class="hidden">{ok ? ': passed' : ': failed'}</span>
                </strong>
                <span class="muted">{detail}</span>
                {fix === undefined ? null : <span>{fix}</span>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function concernsOf(now: Status): readonly string[] {
  return [
    ...(now.readOnly ? [now.readOnlyReason ?? 'The configuration cannot be changed here.'] : []),
    ...(now.clock.isSet ? [] : ['The clock is not set, so dates of signatures are not checked.']),
    ...now.store.problems,
    ...now.warnings,
  ];
}

function headlineOf(now: Status | undefined, hasFailed: boolean): string {
  if (now === undefined) return hasFailed ? 'No answer' : 'One moment';
  const count = concernsOf(now).length + countWaiting(now);
  if (count === 0)
    return now.tunnels.state === 'off' ? 'Names work, tunnels are off' : 'All is well';
  return count === 1 ? 'One thing needs a look' : `${count} things need a look`;
}

function sentenceAbout({ tunnels }: Status): string {
  const connected = tunnels.peers.filter(({ state }) => state === 'up').length;
  if (tunnels.state === 'off') return 'It answers names; no other device can connect to it.';
  if (tunnels.peers.length === 0) return 'It answers names and waits for your other devices.';
  return `It answers names, and ${connected} of ${plural(tunnels.peers.length, 'other device')} ${
    connected === 1 ? 'is' : 'are'
  } connected.`;
}

/** `dig` for the first address it listens on ('127.0.0.1:5353', '[::1]:53'). */
function digLine({ dns }: Status, name: string): string {
  const [, address = '127.0.0.1', port = '53'] =
    /^\[?(.+?)\]?:(\d+)$/.exec(dns.addresses[0] ?? '') ?? [];
  const option = port === '53' ? '' : `-p ${port} `;
  return `dig @${address} ${option}${name} AAAA +dnssec`;
}
