import os from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { promoteRun } from '../train/promote-run.ts';
import { openContext } from './context.ts';

const gateFailedExitCode = 1;

interface PromoteFlags {
  readonly force?: string;
  readonly json?: boolean;
}

/** `osler promote`: which run's model the name `tuned` stands for. */
export function promoteCommand(): Command {
  return new Command('promote')
    .description('make a run’s model the one that "tuned" names, if its certificate passed and its files are as they were certified')
    .argument('<run>', 'id of the run')
    .option('--force <reason>', 'promote it whatever is against it; reason, user and time are kept', reasonText)
    .option('--json', 'print what came of it as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  osler promote run-20261123t2305-1a2b3c4d\n  osler serve --model tuned=tuned\n  osler promote run-20261123t2305-1a2b3c4d --force "demonstration, not for evaluation"',
    )
    .action(async (id: string, flags: PromoteFlags) => {
      const { config, clock, models } = openContext();
      const outcome = await promoteRun({ home: config.home, models, clock }, id, {
        actor: os.userInfo().username,
        forcedReason: flags.force ?? null,
      });
      if (!outcome.isPromoted) process.exitCode = gateFailedExitCode;
      if (flags.json === true) {
        process.stdout.write(`${JSON.stringify(outcome)}\n`);
        return;
      }
      if (outcome.isPromoted) {
        const { promotion, formerId } = outcome;
        const overruled = promotion.problems.map((problem) => `  against it, and overruled: ${problem}\n`).join('');
        process.stdout.write(
          `Promoted ${id}${formerId === null ? '' : `; ${formerId} is a candidate again`}.\n${overruled}Serve it: npx osler serve --model tuned=tuned\n`,
        );
        return;
      }
      process.stderr.write(`Run ${id} was not promoted:\n${outcome.problems.map((problem) => `  ${problem}\n`).join('')}`);
    });
}

function reasonText(word: string): string {
  if (word.trim() === '') throw new InvalidArgumentError('say why.');
  return word;
}
