/**
 * The ipk package of OpenWrt 24.10 and older, for opkg.
 *
 * A gzipped tar of `debian-binary`, `control.tar.gz` and `data.tar.gz`, as OpenWrt's
 * `scripts/ipkg-build` and `include/package-pack.mk` make it. Not signed: in opkg only feeds are.
 */

import { type Entry, withParents, writeGzip, writeTar } from './tar.ts';

/** What both package formats are told. */
export type Package = {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly depends: readonly string[];
  readonly license: string;
  readonly maintainer: string;
  readonly url: string;
  readonly description: string;
  /** `user=uid:group=gid`, created before the first start. */
  readonly user: string;
  /** Absolute paths; a person's changes to them are kept. */
  readonly conffiles: readonly string[];
  /** Shell code without `#!`, run after installing and before removing. */
  readonly afterInstall: string;
  readonly beforeRemove: string;
  /** Seconds since 1970 for everything in the package that has a time. */
  readonly epoch: number;
};

/** The payload, packed once and used for every architecture label with the same bytes. */
export type IpkData = { readonly archive: Buffer; readonly installedSize: number };

/** zlib's best: the router downloads and stores the result. */
const BEST = 9;
/** The outer archive holds what is already compressed. */
const FAST = 1;

const STUB_HEAD = `#!/bin/sh
[ "\${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s "\${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "\${IPKG_INSTROOT}/lib/functions.sh"
`;

/** Packs the files to install. */
export function packIpkData(entries: readonly Entry[], epoch: number): IpkData {
  const root: Entry = { kind: 'directory', path: '', mode: 0o755 };
  const tar = writeTar([root, ...withParents(entries)], epoch);
  return { archive: writeGzip(tar, BEST), installedSize: tar.length };
}

/** Writes the package around its data. */
export function writeIpk(about: Package, data: IpkData): Buffer {
  const control = writeTar(
    [
      { kind: 'directory', path: '', mode: 0o755 },
      text('conffiles', `${about.conffiles.join('\n')}\n`),
      text('control', controlText(about, data.installedSize)),
      script('postinst', `${STUB_HEAD}default_postinst "$0" "$@"\n`),
      script('postinst-pkg', `#!/bin/sh\n${about.afterInstall}`),
      script('prerm', `${STUB_HEAD}default_prerm "$0" "$@"\n`),
      script('prerm-pkg', `#!/bin/sh\n${about.beforeRemove}`),
    ],
    about.epoch,
  );
  const outer: Entry[] = [
    text('debian-binary', '2.0\n'),
    { kind: 'file', path: 'data.tar.gz', mode: 0o644, data: data.archive },
    { kind: 'file', path: 'control.tar.gz', mode: 0o644, data: writeGzip(control, BEST) },
  ];
  return writeGzip(writeTar(outer, about.epoch), FAST);
}

/** In OpenWrt's order; an empty field is left out, for an empty Depends crashes opkg. */
function controlText(about: Package, installedSize: number): string {
  const fields = [
    ['Package', about.name],
    ['Version', about.version],
    ['Depends', about.depends.join(', ')],
    ['Source', `feeds/nymote/${about.name}`],
    ['SourceName', about.name],
    ['License', about.license],
    ['Section', 'net'],
    ['Require-User', about.user],
    ['SourceDateEpoch', String(about.epoch)],
    ['URL', about.url],
    ['Maintainer', about.maintainer],
    ['Architecture', about.arch],
    ['Installed-Size', String(installedSize)],
    ['Description', about.description.split('\n').join('\n ')],
  ];
  return fields.map(([name, value]) => (value === '' ? '' : `${name}: ${value}\n`)).join('');
}

function text(path: string, content: string): Entry {
  return { kind: 'file', path, mode: 0o644, data: Buffer.from(content) };
}

function script(path: string, content: string): Entry {
  return { kind: 'file', path, mode: 0o755, data: Buffer.from(content) };
}
