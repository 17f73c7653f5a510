/** The folder that must keep the name of this one. */
export function parentOf(directory: string): string {
  const cut = directory.replace(/\/+$/, '').lastIndexOf('/');
  return cut === -1 ? '.' : cut === 0 ? '/' : directory.slice(0, cut);
}
