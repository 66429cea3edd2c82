/** Compiles node-llama-cpp's addon with its own commands, in a process of its own. */
import os from 'node:os';
import { BuildLlamaCppCommand, DownloadLlamaCppCommand } from 'node-llama-cpp/commands';
import { BuildRequest } from './build-protocol.ts';

/** node-llama-cpp takes all cores up to this number, and leaves some free above it. */
const allCoresUpTo = 4;

const { gpu, jobs, unpacks } = BuildRequest.parse(JSON.parse(process.argv[2] ?? 'null'));
limitJobs(jobs);
const buildGpu = gpu === 'off' ? false : gpu;
if (unpacks) await DownloadLlamaCppCommand({ gpu: buildGpu, skipBuild: true, noUsageExample: true });
await BuildLlamaCppCommand({ gpu: buildGpu, noUsageExample: true });
process.exit(0);

/**
 * The number of compilers at once has no setting there: it is made of the number of processors,
 * which in a container is that of the whole host. So this process is told of fewer.
 */
function limitJobs(wanted: number): void {
  const left = process.platform === 'darwin' && process.arch === 'arm64' ? 1 : 2;
  const [model] = os.cpus();
  const count = wanted <= allCoresUpTo ? wanted : wanted + left;
  if (model !== undefined) os.cpus = () => Array.from({ length: count }, () => model);
}
