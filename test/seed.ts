/**
 * Properties draw the same values in every run, so that a change is judged by what it changed.
 * `NYMOTE_SEED=7` draws others: run them now and then, they find what the kept ones do not.
 */

import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['NYMOTE_SEED'] ?? 1) });
