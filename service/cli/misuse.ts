/** Words that the table of verbs lets through and that make no sense all the same. */

/** Says what is wrong with them; ends a command with the exit code of usage. */
export class Misuse extends Error {
  override readonly name = 'Misuse';
}

/** What an operand or a flag says in JSON; `problem` is for who wrote something else. */
export function readJson(text: string, problem: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Misuse(problem);
  }
}
