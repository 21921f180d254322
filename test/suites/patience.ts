/**
 * For tests with real programs, sockets and clocks: how long they may take on a machine that is busy
 * with something else. Nothing is judged by it; what hangs ends some time. Imported for what it does.
 */

import { vi } from 'vitest';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });
