/**
 * Reads wg-quick text back before it is shown: a QR code that the WireGuard app refuses, shown only
 * once, would be a device lost.
 *
 * @see wg-quick(8) and wg(8), CONFIGURATION FILE FORMAT
 */

export type WireGuardCheck =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string };

const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const SECTION = /^\[(Interface|Peer)\]$/i;
const ASSIGNMENT = /^([A-Za-z]+)\s*=\s*(\S.*)$/;

type Section = { readonly name: string; readonly values: Map<string, string> };

/** Tells whether the WireGuard app will take `text`. */
export function checkWireGuard(text: string): WireGuardCheck {
  const sections = sectionsOf(text);
  if (typeof sections === 'string') return bad(`the line “${sections.slice(0, 40)}”`);
  const [own, ...peers] = sections;
  if (own?.name !== 'interface') return bad('no [Interface] at the start');
  if (!KEY.test(own.values.get('privatekey') ?? '')) return bad('no private key');
  if (!areAddresses(own.values.get('address'))) return bad('no address');
  if (peers.length === 0) return bad('no [Peer]');
  const reason = peers.map(whyBadPeer).find((each) => each !== undefined);
  return reason === undefined ? { ok: true } : bad(reason);
}

/** The sections, or the first line that is neither a heading nor an assignment. */
function sectionsOf(text: string): Section[] | string {
  const sections: Section[] = [];
  for (const line of text.split('\n').map((each) => each.replace(/#.*$/, '').trim())) {
    const name = SECTION.exec(line)?.[1];
    const [, key, value] = ASSIGNMENT.exec(line) ?? [];
    if (name !== undefined) sections.push({ name: name.toLowerCase(), values: new Map() });
    else if (key !== undefined && value !== undefined) {
      sections.at(-1)?.values.set(key.toLowerCase(), value);
    } else if (line !== '') return line;
  }
  return sections;
}

function whyBadPeer({ name, values }: Section): string | undefined {
  if (name !== 'peer') return 'more than one [Interface]';
  if (!KEY.test(values.get('publickey') ?? '')) return 'a peer without public key';
  if (!areAddresses(values.get('allowedips'))) return 'a peer without allowed addresses';
  const endpoint = values.get('endpoint');
  return endpoint === undefined || isEndpoint(endpoint) ? undefined : 'an endpoint that is none';
}

function bad(reason: string): WireGuardCheck {
  return { ok: false, reason };
}

function areAddresses(list: string | undefined): boolean {
  return list?.split(',').every((item) => isAddress(item.trim())) ?? false;
}

/** An address with a prefix length; the address itself is the URL parser's to judge. */
function isAddress(text: string): boolean {
  const [address = '', length = '32', ...more] = text.split('/');
  const isSix = address.includes(':');
  const isLiteral = isSix
    ? URL.canParse(`http://[${address}]`)
    : /^(\d{1,3}\.){3}\d{1,3}$/.test(address);
  return (
    more.length === 0 &&
    isLiteral &&
    (isSix || URL.canParse(`http://${address}`)) &&
    /^\d{1,3}$/.test(length) &&
    Number(length) <= (isSix ? 128 : 32)
  );
}

function isEndpoint(text: string): boolean {
  const port = Number(/:(\d{1,5})$/.exec(text)?.[1]);
  return port >= 1 && port <= 65_535 && URL.canParse(`http://${text}`);
}
