import { execa } from 'execa';

/** Shared libraries that a library needs and this machine lacks. Empty as well where that cannot be told (no ldd). */
export async function missingLibraries(file: string): Promise<string[]> {
  const result = await execa('ldd', [file], { reject: false, timeout: 10_000 });
  const names = [...(result.stdout?.matchAll(/^\s*(\S+) => not found/gm) ?? [])].flatMap(([, name]) => name ?? []);
  // Its sister libraries are in the process already when it is loaded.
  return [...new Set(names)].filter((name) => !name.startsWith('libggml'));
}
