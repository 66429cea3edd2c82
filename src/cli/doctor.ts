import { Command } from 'commander';
import { readConfig } from '../core/config.ts';
import { backendDeps } from '../engine/llama/backends.ts';
import { checkLauncher } from '../train/launchers/check-launcher.ts';
import { diagnose } from './doctor/diagnose.ts';
import { renderFinding } from './doctor/finding.ts';
import { launcherFinding } from './doctor/launcher-finding.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter } from './progress.ts';

const prerequisiteExitCode = 3;

/** `osler doctor`: what this machine can do, and what would mend what it cannot. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look at this machine, try every engine for real, and name the command that mends what fails')
    .option('--network', 'ask the Hub too whether it answers')
    .option('--launcher <name>', 'look at a machine of launchers.json instead: its connection, Python, packages and GPUs')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nEnds with 0 if an engine can run here (a training there), else with 3.\n\nExamples:\n  osler doctor\n  osler doctor --json --network\n  osler doctor --launcher gpu',
    )
    .action(async (flags: { network?: boolean; launcher?: string; json?: boolean }) => {
      const config = readConfig();
      const reporter = createReporter(config);
      using signal = interruptSignal(() => reporter.info('stopping'));
      if (flags.launcher !== undefined) {
        const check = await checkLauncher(flags.launcher, { home: config.home, signal });
        process.stdout.write(`${flags.json === true ? JSON.stringify(check) : renderFinding(launcherFinding(check))}\n`);
        if (check.level === 'failure') process.exitCode = prerequisiteExitCode;
        return;
      }
      const deps = await backendDeps(config, { onStep: (step) => reporter.step(step), signal });
      const diagnosis = await diagnose(config, deps, { asksHub: flags.network === true });
      if (flags.json === true) process.stdout.write(`${JSON.stringify(diagnosis)}\n`);
      else for (const finding of diagnosis.findings) process.stdout.write(`${renderFinding(finding)}\n`);
      if (diagnosis.engine === null) process.exitCode = prerequisiteExitCode;
    });
}
