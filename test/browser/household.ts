/**
 * A small household that lives in memory: everything the web admin asks of its backend, done for
 * real on a handful of records, so that its tests need neither sockets nor a store.
 */

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  type AddedDevice,
  type Author,
  type Backend,
  type CommitView,
  type Device,
  type DiffView,
  type LiveEvent,
  type NewDevice,
  type QuestionView,
  type RulesView,
  type Status,
  WebAdminError,
} from '#web-admin';
import { createKeyring, type Keyring } from './keyring.ts';
import { createNames } from './names.ts';
import { createNewcomers, type Newcomers } from './newcomers.ts';
import { createRouter } from './router.ts';
import { createDisagreement, type Disagreement } from './together.ts';

type Records = Readonly<Record<string, unknown>>;
type Commit = CommitView & { readonly records: Records };

export type Household = Backend &
  Disagreement &
  Keyring &
  Newcomers & {
    /** Pretends that somebody asked something. */
    ask(question: Omit<QuestionView, 'id' | 'at'>): void;
    /** What is to be shown as wrong. */
    trouble: Partial<Status>;
  };

const APEX = 'alice.nymote';

/** Makes a household with a laptop, a router, a phone that is away and some history. */
export function createHousehold(now: () => number): Household {
  const commits: Commit[] = [];
  const questions: QuestionView[] = [];
  const rules = new Map<string, RulesView['rules'][number]>();
  const listeners = new Set<(event: LiveEvent) => void>();
  const started = now();

  function emit(event: LiveEvent): void {
    for (const listener of listeners) listener(event);
  }

  function latest(): Commit {
    const commit = commits.at(-1);
    if (commit === undefined) throw new Error('unreachable: a household starts with a commit');
    return commit;
  }

  function commit(records: Records, message: string, via: string): CommitView {
    const before = commits.at(-1)?.records ?? {};
    const seq = commits.length + 1;
    const id = createHash('sha256').update(`${seq} ${message}`).digest('hex');
    const changes = changesBetween(before, records);
    const who = { author: 'laptop', device: 'laptop', person: 'alice' };
    const what = changes.map(({ path, kind }) => `${kind} ${path.split('/', 1)[0]}`);
    const made = { id, seq, ...who, date: now(), via, message, what, changes, records };
    commits.push(made);
    emit({ topic: 'head', data: { head: id } });
    return visible(made);
  }

  function find(id: string): Commit {
    const found = commits.find((each) => each.id.startsWith(id));
    if (found === undefined) throw new WebAdminError('not-found', 'There is no such commit.');
    return found;
  }

  function mayWrite(): void {
    if (household.trouble.readOnly === true) {
      throw new WebAdminError('read-only', 'This device is a read-only copy.');
    }
  }

  commit({ 'realm/settings': { user: 'alice', apex: APEX } }, 'start the realm', 'cli');
  function admit(name: string, kind: Parameters<typeof makeDevice>[1]): void {
    const device = { ...makeDevice(name, kind, now()), self: name === 'laptop' };
    commit({ ...latest().records, [`devices/${device.id}`]: device }, `add ${name}`, 'cli');
  }

  admit('laptop', 'node');
  admit('router', 'signpost');
  admit('phone', 'plain');

  const household: Household = {
    trouble: {},
    head: () => latest().id,
    status: () => ({
      ...statusOf(latest(), commits, questions, now() - started),
      ...household.waiting(),
      ...household.trouble,
    }),
    devices: () => devicesOf(latest().records),
    addDevice(wanted, author) {
      mayWrite();
      return addDevice(wanted, author);
    },
    removeDevice(wanted, author) {
      mayWrite();
      const device = devicesOf(latest().records).find(
        ({ id, name }) => id === wanted || name === wanted,
      );
      if (device === undefined) throw new WebAdminError('not-found', 'There is no such device.');
      if (device.self) throw new WebAdminError('denied', 'A device cannot remove itself.');
      const { [`devices/${device.id}`]: _, ...rest } = latest().records;
      commit(rest, `remove ${device.name}`, author.via);
    },
    zone: () => ({
      apex: APEX,
      serial: commits.length,
      records: devicesOf(latest().records).map(({ fqdn, ipv6 }) => `${fqdn}. 60 IN AAAA ${ipv6}`),
    }),
    anchor: () => ({
      ds: `${APEX}. IN DS 4711 13 2 00`,
      dnskey: `${APEX}. IN DNSKEY 257 3 13 AA==`,
      delv: 'trust-anchors { };',
      unbound: 'trust-anchor: ""',
    }),
    why: ({ name, asker = 'laptop', verb = 'resolve' }) => ({
      effect: name.endsWith(`${APEX}.`) || name.endsWith(APEX) ? 'allow' : 'deny',
      asker,
      verb,
      name,
      sentence: `${asker} may ${verb} ${name}, because it is one of alice’s own devices.`,
      reason: 'own-device',
      rule: 'own-devices-resolve',
      tier: 'household',
      overridden: [],
    }),
    log: ({ limit, before, path, device, grep }) => {
      const end = before === undefined ? commits.length : commits.indexOf(find(before));
      return commits
        .slice(0, end)
        .filter(({ changes }) => path === undefined || changes.some((each) => each.path === path))
        .filter(({ author }) => device === undefined || author === device)
        .filter(({ message }) => message.toLowerCase().includes((grep ?? '').toLowerCase()))
        .reverse()
        .slice(0, limit)
        .map(visible);
    },
    diff(from, to) {
      const after = find(to);
      const before = from === undefined ? commits[commits.indexOf(after) - 1] : find(from);
      return diffOf(before, after);
    },
    rules: () => ({ rules: [...rules.values()], shipped: [] }),
    setRule(id, rule) {
      mayWrite();
      rules.set(id, { ...rule, id });
    },
    removeRule(id) {
      mayWrite();
      rules.delete(id);
    },
    allowedSigners: () => 'laptop ssh-ed25519 AAAA\n',
    revert(id, author) {
      mayWrite();
      const undone = find(id);
      const before = commits[commits.indexOf(undone) - 1]?.records ?? {};
      const records: Record<string, unknown> = { ...latest().records };
      for (const { path } of undone.changes) {
        if (before[path] === undefined) delete records[path];
        else records[path] = before[path];
      }
      return commit(records, `revert “${undone.message}”`, author.via);
    },
    questions: () => questions,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ask(question) {
      const made = { ...question, id: questions.length + 1, at: now() };
      questions.push(made);
      emit({ topic: 'question', data: made });
    },
    doctor: () => [
      { name: 'dns', ok: true, detail: 'Port 53 is ours.' },
      { name: 'tunnels', ok: false, detail: 'wg is missing.', fix: 'apt install wireguard-tools' },
    ],
    git: (path) =>
      path === 'HEAD'
        ? { body: new TextEncoder().encode('ref: refs/heads/main\n'), type: 'text/plain' }
        : undefined,
    resolver: {
      explain: async ({ name, type }) => ({
        ...{ name, type, own: false, rcode: 'NXDOMAIN', names: [], chain: [], steps: [] },
        ...{ answers: [], isCut: false },
        ruling: await household.why({ name }),
      }),
      metrics: async () => ({ text: '# nothing\n', type: 'text/plain; version=0.0.4' }),
    },
    apply: createRouter(now, () => emit({ topic: 'status', data: {} })),
    names: createNames(APEX, (message) => void commit(latest().records, message, 'cli')),
    exchange: {
      view: () => ({ parties: [{ name: 'desktop', ago: 12, refused: 0 }] }),
      joinHub: async () => undefined,
      leaveHub: async () => undefined,
    },
    history: {
      undo: async ({ to }, author) => household.revert(to, author),
      restore: async ({ point }, author) => household.revert(point, author),
      kept: async () => ({
        ...{ commits: commits.length, isPruned: false, bytes: 900 * commits.length },
        ...{ days: 180, least: 400, megabytes: 8 },
        ...{ devices: [], sentences: ['All of it is kept.'] },
      }),
      keep: async () => undefined,
      prune: async () => ({ dropped: 0, waitingFor: [], sentence: 'Nothing was dropped.' }),
    },
    drafts: {
      list: async () => ({ drafts: [] }),
      begin: async () => undefined,
      show: (name) => Promise.reject(new WebAdminError('not-found', `There is no draft ${name}.`)),
      add: async () => undefined,
      apply: (name) => Promise.reject(new WebAdminError('not-found', `There is no draft ${name}.`)),
      discard: async () => undefined,
    },
    upstreams: {
      view: () => ({ upstreams: [] }),
      set: async () => undefined,
      remove: async () => undefined,
      pull: async () => undefined,
      share: async () => ({ text: 'nymote-upstream:' }),
      unshare: async () => undefined,
    },
    ...createDisagreement(now, () => emit({ topic: 'status', data: {} })),
    ...createNewcomers(now, (name) => admit(name, 'node')),
    ...createKeyring(now),
  };
  return household;

  function addDevice(wanted: NewDevice, author: Author): AddedDevice {
    const devices = devicesOf(latest().records);
    if (devices.some(({ name }) => name === wanted.name)) {
      throw new WebAdminError('conflict', `There is a device called ${wanted.name} already.`);
    }
    if (wanted.kind === 'node') {
      const code = randomBytes(10).toString('hex');
      const command = `npx nymote join http://192.168.1.2:8053/#${code}`;
      const uri = `nymote:join?at=192.168.1.2:51821&code=${code}`;
      return { kind: 'node', code, command, uri, expiresAt: now() + 600 };
    }
    const device = makeDevice(wanted.name, 'plain', now());
    commit(
      { ...latest().records, [`devices/${device.id}`]: device },
      `add ${device.name}`,
      author.via,
    );
    return { kind: 'plain', device, config: wireGuardText(device), once: true };
  }
}

function makeDevice(name: string, kind: Device['kind'], addedAt: number): Device {
  const id = createHash('sha256').update(name).digest('hex').slice(0, 26);
  const state = { laptop: 'up', router: 'up', phone: 'idle' }[name] ?? 'idle';
  const why = {
    laptop: 'This device.',
    router: 'Direct over the local network.',
    phone: 'Last seen two hours ago.',
  }[name];
  return {
    id,
    name,
    fqdn: `${name}.${APEX}`,
    kind,
    ipv6: `fd4a:91c2:7e30::${id.slice(0, 4)}:${id.slice(4, 8)}`,
    ipv4: `100.64.0.${1 + (Number.parseInt(id.slice(0, 2), 16) % 250)}`,
    state: state === 'up' ? 'up' : 'idle',
    why: why ?? 'It has not connected yet.',
    addedAt,
    endpoints: name === 'router' ? ['192.168.1.1:51820', '[2001:db8::1]:51820'] : [],
    self: false,
  };
}

function wireGuardText(device: Device): string {
  const pair = () =>
    generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' }) as { d: string; x: string };
  const base64 = (text: string) => Buffer.from(text, 'base64url').toString('base64');
  return [
    '[Interface]',
    `PrivateKey = ${base64(pair().d)}`,
    `Address = ${device.ipv6}/128, ${device.ipv4}/32`,
    'DNS = fd4a:91c2:7e30::1, alice.nymote',
    '',
    '[Peer]',
    `PublicKey = ${base64(pair().x)}`,
    'AllowedIPs = fd4a:91c2:7e30::/48, 100.64.0.0/10',
    'Endpoint = 192.0.2.1:51820',
    'PersistentKeepalive = 25',
    '',
  ].join('\n');
}

function devicesOf(records: Records): Device[] {
  return Object.entries(records)
    .filter(([path]) => path.startsWith('devices/'))
    .map(([, device]) => device as Device);
}

function statusOf(
  latest: Commit,
  commits: readonly Commit[],
  questions: readonly QuestionView[],
  uptimeSeconds: number,
): Status {
  const devices = devicesOf(latest.records);
  const self = devices.find((device) => device.self);
  if (self === undefined) throw new Error('unreachable: nobody removes the device itself');
  return {
    version: '0.1.0',
    user: 'alice',
    apex: APEX,
    device: { id: self.id, name: self.name, kind: self.kind },
    readOnly: false,
    dns: {
      addresses: ['127.0.0.1:5353', '[::1]:5353'],
      questions: 1204 + questions.length,
      cacheHits: 903,
    },
    tunnels: {
      state: 'up',
      backend: 'kernel',
      peers: devices
        .filter((device) => !device.self)
        .map(({ id, name, state, why = '' }) => ({
          device: id,
          name,
          state,
          why,
          rxBytes: state === 'up' ? 48_201_113 : 0,
          txBytes: state === 'up' ? 2_411_087 : 0,
          ...(state === 'up' ? { endpoint: '192.168.1.1:51820', lastHandshakeSeconds: 41 } : {}),
        })),
    },
    store: { head: latest.id, commits: commits.length, problems: [] },
    clock: { isSet: true },
    uptimeSeconds: uptimeSeconds + 93_784,
    memoryBytes: 61_865_984,
    warnings: [],
  };
}

function changesBetween(before: Records, after: Records): CommitView['changes'] {
  const paths = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...paths]
    .filter((path) => JSON.stringify(before[path]) !== JSON.stringify(after[path]))
    .map((path) => {
      if (before[path] === undefined) return { path, kind: 'added' };
      return { path, kind: after[path] === undefined ? 'removed' : 'changed' };
    });
}

function diffOf(before: Commit | undefined, after: Commit): DiffView {
  return {
    ...(before === undefined ? {} : { from: before.id }),
    to: after.id,
    changes: changesBetween(before?.records ?? {}, after.records).map((change) => ({
      ...change,
      before: before?.records[change.path],
      after: after.records[change.path],
    })),
  };
}

function visible({ records: _, ...commit }: Commit): CommitView {
  return commit;
}
