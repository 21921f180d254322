import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { configOf } from './homes.fixture.ts';
import { openRealm } from './realm.ts';

const NAME = 'a'.repeat(16);

test.each([
  { field: 'device', value: 'AAAA', code: 'invalid', why: 'a key of the realm in the clear (I2)' },
  { field: 'device', value: { key: 'AAAA' }, code: 'invalid', why: 'in whatever it is wrapped' },
  { field: 'device', value: { sealed: 'AAAA' }, code: undefined, why: 'one that is sealed' },
  { field: 'after', value: NAME, code: undefined, why: 'which key it came after is no secret' },
])('the realm takes $field of a key as $value: $why', async ({ field, value, code }) => {
  await using realm = await openRealm(fakeRuntime(), configOf({ endpoints: '192.0.2.1' }));
  for (const op of [
    { op: 'set', path: `keys/${NAME}`, value: { [field]: value } },
    { op: 'set', path: `keys/${NAME}/${field}`, value },
  ] as const) {
    const { problems } = await realm.store.preview([op]);
    expect(problems.map(({ message }) => message).includes('must be sealed')).toBe(!!code);
    const made = realm.store.commit({ ops: [op], message: 'A key', via: 'test' });
    if (code === undefined) await made;
    else await expect(made).rejects.toMatchObject({ code });
  }
});
