/** A line for whoever started the server. */
export const say = (line: string): void => {
  process.stderr.write(`statescope: ${line}\n`);
};
