/** A size as people read it, in decimal units: 999 B, 1.5 MB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const index = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return index === 0 ? `${bytes} B` : `${(bytes / 1000 ** index).toFixed(1)} ${units[index]}`;
}
