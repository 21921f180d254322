import { expect, test } from 'vitest';
import { checkWireGuard } from './wireguard.ts';

const KEY = 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=';
const GOOD = `[Interface]
PrivateKey = ${KEY}
Address = fd00::2/128, 100.64.0.2/32
DNS = fd00::1, alice.nymote

[Peer] # the router
PublicKey=${KEY}
AllowedIPs = fd00::/48,100.64.0.0/10
Endpoint = [2001:db8::1]:51820
PersistentKeepalive = 25
`;

test.each([
  { text: GOOD, reason: undefined, why: 'all there' },
  { text: GOOD.replace(/Endpoint.*\n/, ''), reason: undefined, why: 'a peer may have no endpoint' },
  { text: GOOD.replace(':51820', ''), reason: 'an endpoint', why: 'no port' },
  { text: GOOD.replace('51820', '70000'), reason: 'an endpoint', why: 'no such port' },
  { text: GOOD.replace(KEY, `${KEY.slice(0, 40)}=`), reason: 'no private key', why: 'too short' },
  { text: GOOD.replace(`PublicKey=${KEY}`, ''), reason: 'public key', why: 'a peer needs one' },
  { text: GOOD.replace('::2/128', '::2/129'), reason: 'no address', why: 'the prefix is too long' },
  {
    text: GOOD.replace('100.64.0.2', '100.64.0.300'),
    reason: 'no address',
    why: 'no such address',
  },
  { text: GOOD.replace('fd00::/48', 'home'), reason: 'allowed', why: 'not an address' },
  { text: GOOD.split('[Peer]')[0] ?? '', reason: 'no [Peer]', why: 'nobody to talk to' },
  { text: `${GOOD}\nnonsense`, reason: 'nonsense', why: 'a line that is none' },
  { text: `PrivateKey = ${KEY}`, reason: 'no [Interface]', why: 'no section' },
  { text: '', reason: 'no [Interface]', why: 'nothing' },
])('$why', ({ text, reason }) => {
  const checked = checkWireGuard(text);
  if (reason === undefined) expect(checked).toEqual({ ok: true });
  else expect(checked).toEqual({ ok: false, reason: expect.stringContaining(reason) });
});
