/**
 * Replies whose header only says that the question is to be put in another way.
 *
 * @see RFC 7766 §5 (truncation), RFC 6891 §7 (no EDNS), RFC 7873 §5.3 (BADCOOKIE)
 * @see RFC 6840 §5.9: who validates asks for what another would keep back
 */

import type { Message } from '../message/message.ts';
import { RCODE } from '../message/type.ts';
import type { Send, Settings } from './frame.ts';
import { EDNS_REFUSALS } from './servers.ts';

/** Milliseconds for a question over TCP: the connection costs a round trip more. */
const TCP_TIMEOUT = 3000;

/** The same question where forging is harder and there is room. */
export function overTcp(send: Send): Send {
  return { ...send, transport: 'tcp', timeout: TCP_TIMEOUT };
}

/** What to send instead; undefined: the reply is one; 'no-use': its server has nothing better. */
export function resendFor(
  sent: Send,
  { truncated, rcode }: Pick<Message, 'truncated' | 'rcode'>,
  { cookies, isJudged }: Pick<Settings, 'cookies' | 'isJudged'>,
): Send | 'no-use' | undefined {
  const isTcp = sent.transport === 'tcp';
  if (truncated) return isTcp ? 'no-use' : overTcp(sent);
  if (rcode === RCODE.BADCOOKIE) {
    // It has come with the cookie to show: once more with that.
    if (!isTcp && sent.cookie === undefined) return { ...sent, cookie: 'again' };
    return isTcp ? 'no-use' : overTcp(sent);
  }
  if (isKeptBack(sent, rcode) && isJudged?.(sent.name)) return { ...sent, checkingDisabled: true };
  if (!sent.edns || !EDNS_REFUSALS.includes(rcode)) return undefined;
  // First without a cookie: DNSSEC needs EDNS.
  const isPlain = cookies !== true || sent.cookie === 'none';
  return isPlain ? { ...sent, edns: false } : { ...sent, cookie: 'none' };
}

/** A forwarder that validates does not say why it keeps something back; we see that by ourselves. */
const isKeptBack = ({ recursionDesired, edns, checkingDisabled }: Send, rcode: number): boolean =>
  rcode === RCODE.SERVFAIL && recursionDesired && edns && checkingDisabled === undefined;
