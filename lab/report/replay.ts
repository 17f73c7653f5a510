/** The exact command that runs one seed of a scenario again, to paste into a POSIX shell. */
export function replayCommand(run: { readonly file: string; readonly seed: number }): string {
  // A file named like an option would be read as one.
  const file = run.file.startsWith('-') ? `./${run.file}` : run.file;
  return `kontiki run ${quote(file)} --seed ${run.seed}`;
}

function quote(word: string): string {
  return /^[\w./@:+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
