import { expect, test } from 'vitest';
import { translate } from './node-errors.ts';

test.each([
  { code: 'EACCES', is: 'denied', why: 'another user might' },
  { code: 'EROFS', is: 'io', why: 'nobody may, whoever asks' },
  { code: 'ENOSPC', is: 'no-space', why: 'the disk is full' },
  { code: 'ESURPRISE', is: 'io', why: 'what has no row' },
])('$code is $is: $why', ({ code, is }) => {
  const thrown = Object.assign(new Error('as the system says'), { code });
  expect(translate(thrown, 'cannot do it')).toMatchObject({
    code: is,
    message: 'cannot do it: as the system says',
  });
});
