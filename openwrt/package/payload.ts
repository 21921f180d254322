/**
 * What the package installs, and what is said about it.
 *
 * The files stand under `files/` as they will on the router; the executable comes from
 * `executable.ts`. Rights come from the table here, never from the disk of whoever builds.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Package } from './ipk.ts';
import { compareBytes, type Entry } from './tar.ts';

/** Package architectures by the machine they stand for; a router takes only its own label. */
export const ARCHITECTURES = {
  aarch64_generic: 'aarch64',
  'aarch64_cortex-a53': 'aarch64',
  'aarch64_cortex-a72': 'aarch64',
  'aarch64_cortex-a76': 'aarch64',
  x86_64: 'x86_64',
} as const;

export type Architecture = keyof typeof ARCHITECTURES;
export type Machine = (typeof ARCHITECTURES)[Architecture];

/**
 * Packages of OpenWrt that ours cannot do without.
 *
 * - libstdcpp6: the executable's only library beside musl.
 * - kmod-wireguard, wireguard-tools: the tunnels, and `wg` to set their peers.
 * - ip-full: busybox's `ip` knows no `nodad`, without which an overlay address is not at once usable.
 */
const DEPENDS = ['ip-full', 'kmod-wireguard', 'libstdcpp6', 'wireguard-tools'];

/** An id that no package of OpenWrt's feeds claims. */
const USER = 'nymote=5380:nymote=5380';

/** ubusd and rpcd read the new access lists, and LuCI its menu; everyone signs in again once. */
const AFTER_INSTALL = `if [ -z "\${IPKG_INSTROOT}" ]; then
	killall -HUP ubusd 2>/dev/null
	[ -x /etc/init.d/rpcd ] && /etc/init.d/rpcd reload
	rm -rf /tmp/luci-indexcache.* /tmp/luci-modulecache
fi
true
`;

/**
 * What nobody confirmed goes back while there is somebody to do it, and dnsmasq is as it was before us
 * (I11); an upgrade keeps what the next version wants anyway.
 */
const BEFORE_REMOVE = `if [ -z "\${IPKG_INSTROOT}" ] && [ "\${PKG_UPGRADE}" != "1" ]; then
	"\${NYMOTE_GUARD:-/usr/libexec/nymote-guard}" restore
	. "\${NYMOTE_LIB:-/usr/lib/nymote}/dnsmasq.sh"
	nymote_dnsmasq_undo
fi
true
`;

const FILES = join(import.meta.dirname, 'files');

/** Rights of what is not 0644; the configuration is root's, as OpenWrt's INSTALL_CONF makes it. */
const MODES: readonly (readonly [prefix: string, mode: number])[] = [
  ['etc/init.d/', 0o755],
  ['etc/uci-defaults/', 0o755],
  ['usr/libexec/', 0o755],
  ['etc/config/', 0o600],
];

/** The package for one architecture, without its files. */
export function describePackage(version: string, arch: Architecture, epoch: number): Package {
  return {
    name: 'nymote',
    version,
    arch,
    depends: DEPENDS,
    license: 'Apache-2.0',
    maintainer: 'nymote',
    url: '',
    description:
      "Your devices' names, signed by you; asking for one connects you.\n" +
      'DNS server, policy and WireGuard tunnels for the devices of one household.',
    user: USER,
    conffiles: ['/etc/config/nymote'],
    afterInstall: AFTER_INSTALL,
    beforeRemove: BEFORE_REMOVE,
    epoch,
  };
}

/** Everything to install. */
export function listEntries(executable: Uint8Array): Entry[] {
  const files = readdirSync(FILES, { recursive: true, withFileTypes: true })
    .filter((found) => found.isFile())
    .map((found) => relative(FILES, join(found.parentPath, found.name)).split(sep).join('/'))
    .map(
      (path): Entry => ({
        kind: 'file',
        path,
        mode: MODES.find(([prefix]) => path.startsWith(prefix))?.[1] ?? 0o644,
        data: readFileSync(join(FILES, path)),
      }),
    );
  const program: Entry[] = [
    { kind: 'file', path: 'usr/lib/nymote/nymote', mode: 0o755, data: executable },
    { kind: 'link', path: 'usr/bin/nymote', target: '../lib/nymote/nymote' },
    { kind: 'link', path: 'usr/sbin/nymote-guard', target: '../libexec/nymote-guard' },
  ];
  return [...files, ...program].sort((a, b) => compareBytes(a.path, b.path));
}
