import os from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../../core/errors.ts';
import type { BackendChoice } from './backend-choice.ts';
import { addonFile, addonPackageFolder, buildConfiguration, findLocalBuilds } from './installed-addons.ts';

/**
 * What the system's loader says of a build that does not load; null for one that loads or is not there. Only for processes of
 * their own. All its symbols are wanted, so that one is named that only a first use would miss.
 */
export async function loaderReason(choice: BackendChoice, root = addonPackageFolder()): Promise<string | null> {
  if (choice.source !== 'build') return null;
  const build = (await findLocalBuilds(root)).find(
    ({ gpu, cmakeOptions }) => gpu === choice.gpu && isDeepStrictEqual(cmakeOptions, choice.cmakeOptions),
  );
  if (build === undefined) return null;
  try {
    process.dlopen({ exports: {} }, path.join(build.folder, buildConfiguration, addonFile), os.constants.dlopen.RTLD_NOW);
    return null;
  } catch (error) {
    return `its binary does not load on this machine: ${messageOf(error)}`;
  }
}
