import { Command } from 'commander';
import { OSLER_ERR_RUN_STATE } from '../core/errors.ts';
import { tryLockFolder } from '../core/folder-lock.ts';
import { type Certificate, firstFailure } from '../core/schema/certificate.ts';
import { certificatePageFile } from '../train/certificate/certificate-file.ts';
import { readRunExport } from '../train/export/run-export.ts';
import { certifyExport } from './certify-runtime.ts';
import { type CliContext, openContext } from './context.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter, type Reporter } from './progress.ts';

const gateFailedExitCode = 1;

/** `osler certify`: whether what a run exported is what it trained. */
export function certifyCommand(): Command {
  return new Command('certify')
    .description('check that what a run exported is what it trained; writes certificate.json and certificate.md into the run')
    .argument('<run>', 'id of the run')
    .option('--json', 'print the certificate as JSON')
    .addHelpText('after', '\nExample:\n  osler certify run-20261123t2305-1a2b3c4d')
    .action(async (id: string, flags: { json?: boolean }) => {
      const context = openContext();
      const reporter = createReporter(context.config);
      using signal = interruptSignal(() => reporter.info('stopping; the run keeps the certificate that it had'));
      const { root } = context.trainings.folder(id);
      const { state } = context.trainings.get(id);
      const unlock = tryLockFolder(root);
      if (unlock === undefined) throw new OSLER_ERR_RUN_STATE(id, state, 'another osler process works on it. Wait for its end.');
      try {
        const certificate = await certify(context, id, reporter, signal);
        process.stdout.write(
          flags.json === true ? `${JSON.stringify(certificate)}\n` : `${summaryOf(certificate)}Page: ${certificatePageFile({ root })}\n`,
        );
        if (!certificate.passed) process.exitCode = gateFailedExitCode;
      } finally {
        unlock();
      }
    });
}

async function certify(context: CliContext, id: string, reporter: Reporter, signal?: AbortSignal): Promise<Certificate> {
  const run = context.trainings.get(id);
  const folder = context.trainings.folder(id);
  const exported = await readRunExport(folder);
  if (exported === undefined || exported.ggufs.length === 0)
    throw new OSLER_ERR_RUN_STATE(id, run.state, `it has no export to certify. Make it with: npx osler export ${id}`);
  return await certifyExport(context, run, folder, exported, { onStep: (step) => reporter.step(step), signal });
}

/** The certificate in a few lines for a terminal: each check, and the detail of what did not pass. */
export function summaryOf(certificate: Certificate): string {
  const mark = { passed: '✓', failed: '✗', notRun: '–' };
  const lines = certificate.checks.map(
    ({ id, title, status, detail }) => `  ${mark[status]} ${id.padEnd(20)} ${title}${status === 'passed' ? '' : `\n      ${detail}`}`,
  );
  const failure = firstFailure(certificate);
  const verdict = failure === undefined ? 'passed' : `FAILED at ${failure.id}`;
  return `Certificate of ${certificate.runId}: ${verdict}\n${lines.join('\n')}\n`;
}
