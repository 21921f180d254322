import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeMessage,
  decodeRdata,
  encodeMessage,
  type Message,
  type Name,
  printName,
  type Rdata,
  type ResourceRecord,
  typeName,
} from '#resolver';
import { type PeerRecord, peer } from './dns-packet.ts';
import { SHARED, sections } from './messages.ts';

const RUNS = 1000;

/** dns-packet reads nothing but Buffers. */
const fromUs = (message: Message) => Buffer.from(encodeMessage(message));

/** A name as dns-packet prints it. */
const plain = (name: Name) => printName(name).replace(/(?<=.)\.$/, '');

/** What dns-packet makes of a record's data. */
function peerData(value: Rdata): unknown {
  switch (value.type) {
    case 'A':
    case 'AAAA':
      return undefined;
    case 'CNAME':
    case 'PTR':
      return plain(value.target);
    case 'NS':
      return plain(value.host);
    case 'MX':
      return { preference: value.preference, exchange: plain(value.exchange) };
    case 'SRV':
      return {
        priority: value.priority,
        weight: value.weight,
        port: value.port,
        target: plain(value.target),
      };
    case 'TXT':
      return value.strings.map((octets) => Buffer.from(octets));
    case 'SOA': {
      const { type: _, mname, rname, ...numbers } = value;
      return { mname: plain(mname), rname: plain(rname), ...numbers };
    }
    case 'CAA':
      return {
        flags: value.flags,
        tag: Buffer.from(value.tag).toString(),
        value: Buffer.from(value.value).toString(),
        issuerCritical: value.flags === 128,
      };
    case 'DS':
      return {
        keyTag: value.keyTag,
        algorithm: value.algorithm,
        digestType: value.digestType,
        digest: Buffer.from(value.digest),
      };
    case 'DNSKEY':
      return { flags: value.flags, algorithm: value.algorithm, key: Buffer.from(value.publicKey) };
    case 'RRSIG':
      return {
        typeCovered: typeName(value.typeCovered),
        algorithm: value.algorithm,
        labels: value.labels,
        originalTTL: value.originalTtl,
        expiration: value.expiration,
        inception: value.inception,
        keyTag: value.keyTag,
        signersName: plain(value.signer),
        signature: Buffer.from(value.signature),
      };
    case 'NSEC':
      return { nextDomain: plain(value.next), rrtypes: value.types.map(typeName) };
    case 'TLSA':
      return {
        usage: value.usage,
        selector: value.selector,
        matchingType: value.matchingType,
        certificate: Buffer.from(value.data),
      };
    default:
      throw new Error(`not shared: ${value.type}`);
  }
}

describe('beside dns-packet', () => {
  const shared = sections(SHARED);
  const EMPTY: Message = {
    id: 7,
    response: true,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
    edns: undefined,
  };

  test('it reads from our octets what we wrote', () => {
    fc.assert(
      fc.property(shared, shared, (answers, authorities) => {
        const packet = peer.decode(fromUs({ ...EMPTY, answers, authorities }));
        expect(packet.answers.map(withoutAddress)).toEqual(answers.map(asPeer).map(withoutAddress));
        expect(packet.authorities.map(withoutAddress)).toEqual(
          authorities.map(asPeer).map(withoutAddress),
        );
      }),
      { numRuns: RUNS },
    );
  });

  test('and we read from its octets what it read from ours', () => {
    fc.assert(
      fc.property(shared, (answers) => {
        const { answers: theirs } = peer.decode(fromUs({ ...EMPTY, answers }));
        const result = decodeMessage(peer.encode({ type: 'response', id: 7, answers: theirs }));
        expect(result.ok && result.message.answers).toEqual(answers);
      }),
      { numRuns: RUNS },
    );
  });

  /** Addresses are compared as octets, on the way back: there are many ways to print IPv6. */
  function withoutAddress({ data, ...rest }: PeerRecord): PeerRecord {
    return { ...rest, data: rest.type === 'A' || rest.type === 'AAAA' ? undefined : data };
  }

  function asPeer(sent: ResourceRecord): PeerRecord & { flush: boolean } {
    const value = decodeRdata(sent.type, sent.rdata);
    if (value === undefined) throw new Error('unreachable: made from text');
    return {
      name: plain(sent.owner),
      type: value.type,
      ttl: sent.ttl,
      class: 'IN',
      flush: false,
      data: peerData(value),
    };
  }
});
