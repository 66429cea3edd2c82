import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { sha256OfFile } from '../../core/digest.ts';
import { checkFreeDisk } from '../../core/free-disk.ts';
import { convertedGgufTypes } from '../../core/schema/gguf-type.ts';
import { convertToGguf } from '../convert-to-gguf.ts';
import { diskUsage } from '../../core/disk-usage.ts';
import { ensurePython } from '../python-environment.ts';
import type { ExportRun } from '../training-deps.ts';

/** An export of one GGUF file in the first type that the converter writes by itself. */
export function convertRun(config: Config): ExportRun {
  return async (run, folder, { onStep, signal }) => {
    const type = convertedGgufTypes.find((candidate) => candidate === run.recipe.output.ggufTypes[0]) ?? 'q8_0';
    const target = folder.gguf(type);
    onStep?.(`convert the tuned model to GGUF ${type}`);
    if (!existsSync(target)) {
      await checkFreeDisk(folder.root, (await diskUsage(folder.merged))?.bytes ?? 0);
      const python = await ensurePython({ python: config.python, venv: config.venv, signal });
      await convertToGguf({ python, cacheDir: path.join(config.home, 'cache'), source: folder.merged, target, type, signal });
    }
    const sha256 = await sha256OfFile(target);
    const { size } = await stat(target);
    return {
      schemaVersion: 1,
      sourceSha256: sha256,
      ggufs: [{ type, file: path.basename(target), bytes: size, sha256, tensorTypes: {} }],
      adapterGguf: null,
      modelfile: null,
      notices: [],
    };
  };
}
