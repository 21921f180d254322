/** What a verb is, and the flag that nearly all of them take. */

export type Flag = {
  /** With its dashes. */
  readonly flag: string;
  /** One letter for it, with its dash. */
  readonly short?: string;
  /** Key in the result. */
  readonly key: string;
  /** What the value is; absent for a switch. */
  readonly expects?: string;
  readonly help: string;
  /** What holds without the flag. */
  readonly otherwise?: string;
};

export type Verb = {
  /** As typed: `device add`. */
  readonly name: string;
  readonly operands: readonly Operand[];
  readonly flags: readonly Flag[];
  readonly help: string;
  /** Words after `nymote`; absent where the name is all there is to type. */
  readonly example?: string;
};

export type Operand = { readonly name: string; readonly optional?: true };

export const DATA: Flag = {
  flag: '--data',
  key: 'data',
  expects: 'a path',
  otherwise: './data',
  help: 'data directory of the service',
};
