/**
 * UCI options by name, what changing them can cost, and what may stand in them. Pure.
 *
 * `network.lan.ipaddr` is an option; `firewall.nymote_guests` is a section of ours, and its value the
 * section's type. Only named sections: a place in a list (`@zone[1]`) is another thing tomorrow.
 *
 * @see https://openwrt.org/docs/guide-user/base-system/uci
 */

/** A list is several values; UCI knows nothing else. */
export type UciValue = string | readonly string[];

export type OptionName = {
  readonly package: string;
  readonly section: string;
  /** Absent: the section itself. */
  readonly option?: string;
};

/** One option as it is to be; undefined: it is not to be there. */
export type OptionLine = { readonly option: string; readonly value: UciValue | undefined };

/** What a change can cost: its deadline, and whether a person has to say that it is good. */
export type ChangeKind = 'plain' | 'slow' | 'risky';

const PACKAGES = ['network', 'wireless', 'firewall', 'dhcp', 'system'];
const NAME = /^[A-Za-z0-9_]{1,64}$/;
/** Sections that are made when they are not there. */
const OWN_SECTION = /^nymote(?:_|$)/;
/** What opens a door is never in the store in the clear (I2). */
const SECRET =
  /^(?:key[0-9]?|psk|.*(?:private_key|preshared_key|password|passphrase|passwd|secret).*|pin|.*_pin|username_password)$/i;
const OUTWARD = /^(?:wan|wwan|mesh|bat)/;
/** Uplinks and meshes take minutes to come back (freifunk-berlin/firmware#832). */
const SECONDS: Readonly<Record<ChangeKind, number>> = { plain: 90, slow: 300, risky: 300 };

/** Reads `package.section.option`, or `package.section` of ours; undefined for anything else. */
export function parseOption(text: string): OptionName | undefined {
  const [name = '', section = '', option, ...rest] = text.split('.');
  if (rest.length > 0 || !PACKAGES.includes(name) || !NAME.test(section)) return undefined;
  if (option === undefined) return isOwnSection(section) ? { package: name, section } : undefined;
  return NAME.test(option) ? { package: name, section, option } : undefined;
}

/** Tells whether a section is ours to make and remove. */
export function isOwnSection(section: string): boolean {
  return OWN_SECTION.test(section);
}

/** Tells whether an option holds a secret. */
export function isSecretOption(text: string): boolean {
  return SECRET.test(parseOption(text)?.option ?? '');
}

/** The package of an option, which is also the name of its file. */
export function packageOf(option: string): string {
  return option.split('.', 1)[0] ?? '';
}

/**
 * What changing these options can cost: whoever changes the LAN, the Wi-Fi or the firewall may lock
 * out himself, which no test on the router notices; a new way out needs time.
 */
export function classify(options: readonly string[]): {
  readonly kind: ChangeKind;
  readonly seconds: number;
} {
  const kinds = options.map(kindOf);
  const kind = (['risky', 'slow'] as const).find((each) => kinds.includes(each)) ?? 'plain';
  return { kind, seconds: Math.max(SECONDS.plain, ...kinds.map((each) => SECONDS[each])) };
}

function kindOf(option: string): ChangeKind {
  const [name, section = ''] = option.split('.');
  if (name === 'network') return OUTWARD.test(section) ? 'slow' : 'risky';
  return name === 'wireless' || name === 'firewall' ? 'risky' : 'plain';
}

/** Tells whether two values are the same; UCI does not tell a list of one from a value. */
export function isSameValue(a: UciValue | undefined, b: UciValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const [left, right] = [listOf(a), listOf(b)];
  return left.length === right.length && left.every((item, index) => item === right[index]);
}

/** A value as a list. */
export function listOf(value: UciValue): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}
