import { describe, expect, test } from 'vitest';
import { parseRdata } from '../message.fixture.ts';
import { printRdata } from '../rdata.ts';
import { TYPE } from '../type.ts';

const octets = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

describe('RFC 9460 §D', () => {
  const foo = '03666f6f076578616d706c6503636f6d00';
  const org = '03666f6f076578616d706c65036f726700';

  test.each([
    { figure: 'D.1', text: '0 foo.example.com.', wire: `0000 ${foo}` },
    { figure: 'D.2.1', text: '1 .', wire: '0001 00' },
    { figure: 'D.2.2', text: '16 foo.example.com. port=53', wire: `0010 ${foo} 0003 0002 0035` },
    {
      figure: 'D.2.3',
      text: '1 foo.example.com. key667=hello',
      wire: `0001 ${foo} 029b 0005 68656c6c6f`,
    },
    {
      figure: 'D.2.4',
      text: '1 foo.example.com. key667="hello\\210qoo"',
      wire: `0001 ${foo} 029b 0009 68656c6c6fd2716f6f`,
    },
    {
      figure: 'D.2.5',
      text: '1 foo.example.com. (ipv6hint="2001:db8::1,2001:db8::53:1")',
      wire: `0001 ${foo} 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001`,
    },
    {
      figure: 'D.2.6',
      text: '1 example.com. ipv6hint="2001:db8:122:344::192.0.2.33"',
      wire: '0001 076578616d706c6503636f6d00 0006 0010 20010db80122034400000000c0000221',
    },
    {
      figure: 'D.2.7',
      text: '16 foo.example.org. (alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1)',
      wire: `0010 ${org} 0000 0004 0001 0004 0001 0009 026832 0568332d3139 0004 0004 c0000201`,
    },
    {
      figure: 'D.2.8',
      text: '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
      wire: `0010 ${org} 0001 000c 08665c6f6f2c626172 026832`,
    },
    {
      figure: 'D.2.8',
      text: '16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2',
      wire: `0010 ${org} 0001 000c 08665c6f6f2c626172 026832`,
    },
  ])('$figure $text', ({ text, wire }) => {
    const rdata = parseRdata(TYPE.SVCB, text);
    expect(hex(rdata)).toBe(hex(octets(wire)));
    expect(rdata && hex(parseRdata(TYPE.SVCB, printRdata(TYPE.SVCB, rdata)))).toBe(hex(rdata));
  });

  test.each([
    { text: '1 foo.example.com. (key123=abc key123=def)', why: 'D.3: a key twice' },
    { text: '1 foo.example.com. mandatory', why: 'D.3: no value' },
    { text: '1 foo.example.com. alpn', why: 'D.3: no value' },
    { text: '1 foo.example.com. port', why: 'D.3: no value' },
    { text: '1 foo.example.com. ipv4hint', why: 'D.3: no value' },
    { text: '1 foo.example.com. ipv6hint', why: 'D.3: no value' },
    { text: '1 foo.example.com. no-default-alpn=abc', why: 'D.3: a value that must be empty' },
    { text: '1 foo.example.com. mandatory=key123', why: 'D.3: mandatory but missing' },
    { text: '1 foo.example.com. mandatory=mandatory', why: 'D.3: never in its own list' },
    {
      text: '1 foo.example.com. (mandatory=key123,key123 key123=abc)',
      why: 'D.3: twice in the list',
    },
    { text: '1 foo.example.com. no-default-alpn', why: '§7.1.1: alpn must be there too' },
    { text: '1 foo.example.com. port=65536', why: '§7.2: more than 16 bits' },
    { text: '1 foo.example.com. alpn=h2,,h3', why: '§7.1.1: an empty protocol' },
    { text: '1 foo.example.com. ipv4hint=192.0.2', why: '§7.3: no address' },
    { text: '1 foo.example.com. key0667=x', why: '§2.1: leading zeros' },
    { text: '1 foo.example.com. key65536=x', why: '§2.1: more than 16 bits' },
    { text: '1 foo.example.com. KEY667=x', why: '§2.1: keys are lower case' },
    { text: '1 foo.example.com. key3=x', why: '§2.1: a number does not excuse a bad port' },
    { text: '1 foo.example.com. alpn="h2', why: 'an open quote' },
    { text: '1 foo.example.com. alpn=h2\\', why: 'a backslash escapes nothing' },
  ])('refuses $text: $why', ({ text }) => {
    expect(parseRdata(TYPE.SVCB, text)).toBeUndefined();
  });
});
