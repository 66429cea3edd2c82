import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { OSLER_ERR_LAUNCHER_FILE } from '../../core/errors.ts';
import { LauncherFile } from '../../core/schema/launcher.ts';

/** Where the launchers of a home are described. */
export function launcherFilePath(home: string): string {
  return path.join(home, 'launchers.json');
}

/**
 * The launchers that `<home>/launchers.json` describes; none where there is no such file.
 *
 * @throws OSLER_ERR_LAUNCHER_FILE with every problem
 */
export async function readLaunchers(home: string): Promise<LauncherFile> {
  const file = launcherFilePath(home);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw error;
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new OSLER_ERR_LAUNCHER_FILE(file, 1, '  it is not valid JSON');
  }
  const parsed = LauncherFile.safeParse(content);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.') || 'file'}: ${issue.message}`);
  throw new OSLER_ERR_LAUNCHER_FILE(file, lines.length, lines.join('\n'));
}
