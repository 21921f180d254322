import { expect, test } from 'vitest';
import { printNames } from './name.ts';

test('names are a table', () => {
  expect(printNames({ apex: 'a.b', names: [] })).toBe('You wrote no records yet.');
  const records = [{ type: 'MX', ttl: 60, data: '10 mail' }];
  expect(printNames({ apex: 'a.b', names: [{ owner: '@', fqdn: 'a.b', records }] })).toBe(
    'a.b  60  MX  10 mail',
  );
});
