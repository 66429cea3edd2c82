/** Asks a package of binaries for its folder, as node-llama-cpp does, after it was pointed elsewhere. */
import { takeBinariesFrom } from '../../../../../src/engine/llama/take-binaries.ts';

const [folder = '', packageName = ''] = process.argv.slice(2);
takeBinariesFrom(folder);
const binaries = (await import(packageName)) as { getBinsDir: () => unknown }; // what node-llama-cpp expects of it
process.stdout.write(JSON.stringify(binaries.getBinsDir()));
