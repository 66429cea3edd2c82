/**
 * A server in a process of its own, as `osler serve` runs it, with a scripted model in place of weights.
 * Words: the settings as JSON, and the pause before each word of an answer in milliseconds.
 */
import { openContext } from '../../../src/cli/context.ts';
import { createReporter } from '../../../src/cli/progress.ts';
import { serveUntilStopped } from '../../../src/cli/serve.ts';
import { exitCodeOf, messageOf } from '../../../src/core/errors.ts';
import { ChatTemplate } from '../../../src/engine/chat-template.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';

const [settings = '{}', wordMs = '0'] = process.argv.slice(2);
const context = openContext();
const engine = new ScriptedEngine({ reply: () => `${'so '.repeat(40)}</think>\n\nThe end.`, wordMs: Number(wordMs) });
const model = {
  name: 'tuned',
  ref: 'scripted',
  engine,
  template: new ChatTemplate({ owner: 'tuned', source: '{{ messages[0].content }}<think>\n', bosToken: '', eosToken: '' }),
  weightsDigest: 'a'.repeat(64),
  createdSeconds: 0,
};
try {
  const at = { host: '127.0.0.1', port: 0, ...JSON.parse(settings) };
  await serveUntilStopped(context, [{ model, fileType: null }], at, createReporter(context.config));
  process.exit(0);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(exitCodeOf(error));
}
