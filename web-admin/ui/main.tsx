/** Where the page starts. */

import { render } from 'preact';
import { startRouter } from './router.ts';
import { Shell } from './shell.tsx';
import { start } from './state.ts';

const root = document.getElementById('app');
if (root === null) throw new Error('unreachable: index.html has #app');
startRouter();
render(<Shell />, root);
void start();
