/** One line of a bench's report. */
export function row(name: string, ...values: readonly string[]): void {
  console.log(`  ${name.padEnd(26)}${values.map((value) => value.padStart(12)).join('  ')}`);
}
