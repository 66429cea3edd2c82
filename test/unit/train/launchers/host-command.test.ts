import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostCommand } from '../../../../src/train/launchers/host-command.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

describe('hostCommand', () => {
  const home = (): string => {
    const folder = temporaryFolder();
    const program = path.join(folder, "my 'venv'/python");
    mkdirSync(path.dirname(program));
    writeFileSync(program, '#!/bin/sh\necho "$1 $2 $3 $#"\n');
    chmodSync(program, 0o755);
    return folder;
  };
  const said = (python: string, folder: string): string =>
    execFileSync('sh', ['-c', hostCommand(python)], { encoding: 'utf8', cwd: folder, env: { HOME: folder } }).trim();

  it.each(["~/my 'venv'/python", "./my 'venv'/python"])('finds %s from the home folder', (python) =>
    expect(said(python, home())).toBe('-I -S -c 4'),
  );

  it('takes an absolute path as it is', () => {
    const folder = home();
    expect(said(path.join(folder, "my 'venv'/python"), '/')).toBe('-I -S -c 4');
  });
});
