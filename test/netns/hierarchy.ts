/**
 * A small signed internet: root on NSD, `example.` on Knot, `leaf.example.` on BIND.
 *
 * Three implementations on purpose; each zone is signed with `dnssec-signzone` (ECDSA P-256) and
 * delegates with a DS. All three servers live in one namespace, on addresses of their own.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lab, must, until } from './namespaces.ts';

export const ROOT_SERVER = { name: 'a.root', address: '192.0.2.1' };
const TLD_ADDRESS = '192.0.2.2';
const LEAF_ADDRESS = '192.0.2.3';

/** Starts the three servers in `namespace` and waits until each answers. */
export async function startHierarchy(lab: Lab, namespace: string): Promise<void> {
  const folder = join(lab.folder, 'hierarchy');
  await mkdir(folder, { recursive: true });
  for (const address of [ROOT_SERVER.address, TLD_ADDRESS, LEAF_ADDRESS]) {
    await lab.must(namespace, 'ip', 'address', 'add', `${address}/32`, 'dev', 'lo');
  }

  const leaf = await signZone(folder, 'leaf.example', [
    'leaf.example. 3600 IN SOA ns.leaf.example. root.leaf.example. 1 7200 3600 1209600 300',
    'leaf.example. 3600 IN NS ns.leaf.example.',
    `ns.leaf.example. 3600 IN A ${LEAF_ADDRESS}`,
    'www.leaf.example. 300 IN A 192.0.2.80',
    'www.leaf.example. 300 IN AAAA 2001:db8::80',
    'alias.leaf.example. 300 IN CNAME www.leaf.example.',
  ]);
  const tld = await signZone(folder, 'example', [
    'example. 3600 IN SOA ns.example. root.example. 1 7200 3600 1209600 300',
    'example. 3600 IN NS ns.example.',
    `ns.example. 3600 IN A ${TLD_ADDRESS}`,
    'leaf.example. 3600 IN NS ns.leaf.example.',
    `ns.leaf.example. 3600 IN A ${LEAF_ADDRESS}`,
    leaf.ds,
  ]);
  const root = await signZone(folder, '.', [
    '. 3600 IN SOA a.root. root. 1 7200 3600 1209600 300',
    '. 3600 IN NS a.root.',
    `a.root. 3600 IN A ${ROOT_SERVER.address}`,
    'example. 3600 IN NS ns.example.',
    `ns.example. 3600 IN A ${TLD_ADDRESS}`,
    tld.ds,
  ]);

  await startNsd(lab, namespace, folder, root.file);
  await startKnot(lab, namespace, folder, tld.file);
  await startBind(lab, namespace, folder, leaf.file);
  await waitFor(lab, namespace, ROOT_SERVER.address, '.');
  await waitFor(lab, namespace, TLD_ADDRESS, 'example.');
  await waitFor(lab, namespace, LEAF_ADDRESS, 'leaf.example.');
}

async function signZone(
  folder: string,
  zone: string,
  lines: readonly string[],
): Promise<{ readonly file: string; readonly ds: string }> {
  const stem = zone === '.' ? 'root' : zone;
  const keys = join(folder, `keys-${stem}`);
  await mkdir(keys, { recursive: true });
  const key = (
    await must('dnssec-keygen', '-q', '-K', keys, '-a', 'ECDSAP256SHA256', '-f', 'KSK', zone)
  ).trim();
  const file = join(folder, `${stem}.zone`);
  await writeFile(file, `${lines.filter(Boolean).join('\n')}\n`);
  await must(
    'dnssec-signzone',
    '-q',
    '-S',
    '-z',
    '-K',
    keys,
    '-d',
    folder,
    '-o',
    zone,
    '-f',
    `${file}.signed`,
    file,
  );
  const ds = await must('dnssec-dsfromkey', '-2', join(keys, `${key}.key`));
  return { file: `${file}.signed`, ds: ds.trim() };
}

async function startNsd(lab: Lab, namespace: string, folder: string, zone: string): Promise<void> {
  const config = join(folder, 'nsd.conf');
  await writeFile(
    config,
    [
      'server:',
      `  ip-address: ${ROOT_SERVER.address}`,
      '  username: ""',
      `  zonesdir: "${folder}"`,
      `  pidfile: "${folder}/nsd.pid"`,
      '  database: ""',
      `  xfrdfile: "${folder}/xfrd.state"`,
      `  zonelistfile: "${folder}/zone.list"`,
      'remote-control:',
      '  control-enable: no',
      'zone:',
      '  name: "."',
      `  zonefile: "${zone}"`,
      '',
    ].join('\n'),
  );
  lab.start(namespace, 'nsd', '-d', '-c', config);
}

async function startKnot(lab: Lab, namespace: string, folder: string, zone: string): Promise<void> {
  const config = join(folder, 'knot.conf');
  await writeFile(
    config,
    [
      'server:',
      `  rundir: "${folder}"`,
      `  listen: ${TLD_ADDRESS}@53`,
      'database:',
      `  storage: "${folder}/knot"`,
      'log:',
      '  - target: stderr',
      '    any: warning',
      'zone:',
      '  - domain: example',
      `    file: "${zone}"`,
      '',
    ].join('\n'),
  );
  lab.start(namespace, 'knotd', '-c', config);
}

async function startBind(lab: Lab, namespace: string, folder: string, zone: string): Promise<void> {
  const config = join(folder, 'named.conf');
  await writeFile(
    config,
    [
      'options {',
      `  directory "${folder}";`,
      `  pid-file "${folder}/named.pid";`,
      `  session-keyfile "${folder}/session.key";`,
      `  listen-on { ${LEAF_ADDRESS}; };`,
      '  listen-on-v6 { none; };',
      '  recursion no;',
      '};',
      'controls { };',
      `zone "leaf.example" { type primary; file "${zone}"; };`,
      '',
    ].join('\n'),
  );
  lab.start(namespace, 'named', '-f', '-c', config);
}

async function waitFor(lab: Lab, namespace: string, address: string, zone: string): Promise<void> {
  const words = [`@${address}`, zone, 'SOA', '+short', '+time=1', '+tries=1'];
  const isServed = async () => / 1 7200 /.test((await lab.run(namespace, 'dig', ...words)).stdout);
  if (!(await until(isServed))) {
    throw new Error(`the server for ${zone} at ${address} does not answer`);
  }
}
