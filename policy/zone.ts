/**
 * Which network segment a bare address belongs to, when nobody knows better.
 *
 * The address alone proves little: it says "somebody on this link", which is what a home network's
 * resolver goes by. Mapped addresses (::ffff:a.b.c.d) count as the IPv4 address inside.
 *
 * @see RFC 1918 §3, RFC 3927 §2.1 (IPv4); RFC 4193 §3, RFC 4291 §2.4 (IPv6)
 */

/** The zone of an address literal: this machine, its home network, or the rest of the world. */
export function zoneOf(address: string): 'loopback' | 'home' | 'internet' {
  const literal = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  if (literal === '::1' || /^127\.\d+\.\d+\.\d+$/.test(literal)) {
    return 'loopback';
  }
  return HOME.some((pattern) => pattern.test(literal)) ? 'home' : 'internet';
}

const HOME = [
  /^10\.\d+\.\d+\.\d+$/,
  /^192\.168\.\d+\.\d+$/,
  /^172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+$/,
  /^169\.254\.\d+\.\d+$/,
  /^f[cd][0-9a-f]{2}:/,
  /^fe[89ab][0-9a-f]:/,
];
