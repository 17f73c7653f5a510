/** The one of `words` that `found` is most likely a misspelling of, or null when none is near. */
export function didYouMean(found: string, words: readonly string[]): string | null {
  const wanted = fold(found);
  let best: { word: string; distance: number } | null = null;
  for (const word of words) {
    const distance = editDistance(wanted, fold(word));
    if (best === null || distance < best.distance) best = { word, distance };
  }
  if (best === null) return null;
  const tolerated = Math.max(1, Math.floor(Math.min(found.length, best.word.length) / 3));
  return best.distance <= tolerated ? best.word : null;
}

/** `electionTimeout`, `election_timeout` and `election-timeout` are one word to a human. */
function fold(word: string): string {
  return word
    .slice(0, 64)
    .replace(/([a-z])([A-Z])/g, '$1-$2')
    .replace(/[_ ]/g, '-')
    .toLowerCase();
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const at = (values: number[], index: number): number => values[index] ?? Number.POSITIVE_INFINITY;
      const substituted = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        at(last, j) + 1,
        at(row, j - 1) + 1,
        substituted,
        swapped ? at(beforeLast, j - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? Number.POSITIVE_INFINITY;
}
