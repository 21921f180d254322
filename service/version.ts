/** The version, here as well as in package.json so that a single-file build has it; a test compares. */
export const VERSION = '0.1.0';
