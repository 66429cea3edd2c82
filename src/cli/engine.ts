import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { readConfig } from '../core/config.ts';
import { OSLER_ERR_USAGE } from '../core/errors.ts';
import { type EngineGpu, EngineGpu as EngineGpuSchema } from '../engine/llama/backend-choice.ts';
import { describeOutcome } from '../engine/llama/backend-report.ts';
import { backendDeps, examineBackends } from '../engine/llama/backends.ts';
import { buildEngine } from '../engine/llama/build-engine.ts';
import { cmakeOptionsFor, defaultJobs } from '../engine/llama/build-options.ts';
import { type Devices, findDevices } from '../engine/llama/devices.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter } from './progress.ts';

const noEngineExitCode = 3;

interface BuildFlags {
  readonly gpu?: EngineGpu;
  readonly jobs?: number;
  readonly cudaArchitectures?: string;
  readonly force?: boolean;
  readonly portable?: boolean;
}

/** `osler engine build`: the engine compiled for this machine. */
export function engineCommand(): Command {
  const command = new Command('engine').description('the engine that runs models: compile it for this machine');
  command
    .command('build')
    .description('compile llama.cpp and its addon from the sources that came with node-llama-cpp, without network, then try it')
    .addOption(
      new Option('--gpu <kind>', 'what it computes on; default: CUDA where there is an NVIDIA GPU, else the CPU').choices(
        EngineGpuSchema.options,
      ),
    )
    .option('--jobs <number>', 'compilers at once; default: as cores and memory allow', jobsNumber)
    .option('--cuda-architectures <list>', 'compute capabilities, such as 90 or "80;90"; default: those of the GPUs here', architectureList)
    .option('--force', 'compile again where the same build is there')
    .option('--portable', 'for another machine of this kind, such as a GPU host without a compiler; it is not tried here')
    .addHelpText(
      'after',
      '\nExamples:\n  osler engine build\n  osler engine build --gpu cuda --cuda-architectures 90 --jobs 16\n  osler engine build --gpu cuda --cuda-architectures 90 --portable',
    )
    .action(async (flags: BuildFlags) => runBuild(flags));
  return command;
}

async function runBuild(flags: BuildFlags): Promise<void> {
  const config = readConfig();
  const reporter = createReporter(config);
  using signal = interruptSignal(() => reporter.info('stopping the compilers'));
  const devices = await findDevices();
  const gpu = flags.gpu ?? bestGpu(devices);
  const isPortable = flags.portable ?? false;
  const { cudaArchitectures } = flags;
  if (isPortable && gpu === 'cuda' && cudaArchitectures === undefined && !devices.hasNvidia)
    throw new OSLER_ERR_USAGE('--portable for CUDA needs the compute capability of the other GPU: --cuda-architectures 90 for an H100.');
  const bar = reporter.progress('compile');
  const startMs = performance.now();
  const { build, isNew } = await buildEngine({
    gpu,
    cmakeOptions: await cmakeOptionsFor(gpu, { cudaArchitectures, isPortable }),
    jobs: flags.jobs ?? defaultJobs(gpu),
    isForced: flags.force ?? false,
    logFile: path.join(config.home, 'engine/build.log'),
    onStep: (step) => reporter.step(step),
    onProgress: ({ done, total }) => bar.update(done, total, 'files'),
    signal,
  }).finally(() => bar.stop());
  reporter.step(
    isNew
      ? `compiled in ${Math.round((performance.now() - startMs) / 1000)} s`
      : 'the same build is here already (--force compiles it again)',
  );
  if (isPortable) return reporter.step(`for other machines, not tried here: ${build.folder}`);
  // The others that can compute on the same, beside it.
  const deps = await backendDeps({ ...config, gpu }, { onStep: (step) => reporter.step(step), signal });
  const outcomes = await examineBackends(deps, { model: 'speed', stopsAtFirst: false });
  for (const outcome of outcomes) process.stdout.write(`${describeOutcome(outcome)}\n`);
  const built = outcomes.find(({ choice }) => choice.source === 'build');
  if (built?.state !== 'passed') process.exitCode = noEngineExitCode;
}

function bestGpu(devices: Devices): EngineGpu {
  if (devices.hasNvidia) return 'cuda';
  return devices.hasMetal ? 'metal' : 'off';
}

function jobsNumber(word: string): number {
  if (!/^[1-9]\d{0,3}$/.test(word)) throw new InvalidArgumentError('a whole number of 1 or more is wanted.');
  return Number(word);
}

function architectureList(word: string): string {
  const part = String.raw`(?:native|\d{2,3}[af]?(?:-real|-virtual)?)`;
  if (!new RegExp(`^${part}(?:;${part})*$`).test(word))
    throw new InvalidArgumentError('wanted are numbers as CMake takes them, such as 90 or 80;90.');
  return word;
}
