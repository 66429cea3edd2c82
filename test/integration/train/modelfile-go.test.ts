import path from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { writeModelfile } from '../../../src/train/export/modelfile.ts';
import { chats, turnTemplates } from '../../support/chat-templates.ts';
import { renderGoTemplate } from '../../support/go-template.ts';
import { ollamaValues, parseModelfile } from '../../support/ollama.ts';

const program = path.join(import.meta.dirname, '../../support/render-templates.go');
const hasGo = (await execa('go', ['version'], { reject: false })).exitCode === 0;

/** Each template of a Modelfile with each chat, and with each wish for a thought. */
const tasks = Object.values(turnTemplates).flatMap((template) => {
  const contents = { bosToken: '<s>', eosToken: '</s>', addsBos: false, addsEos: false };
  const { text } = writeModelfile({ name: 'a', runId: 'b', ggufFile: 'c', template, contents, contextTokens: 512, licence: null });
  const source = parseModelfile(text).find((command) => command.name === 'TEMPLATE')?.value ?? '';
  return chats.flatMap((messages) =>
    [undefined, true, false].map((think) => ({ Template: source, Values: ollamaValues(messages, think) })),
  );
});

// The unit tests render with an evaluator of ours; this one asks Go whether the two read templates alike.
it.skipIf(!hasGo)('renders Modelfile templates as Go itself does (skipped where there is no Go)', async () => {
  const { stdout } = await execa('go', ['run', program], { input: JSON.stringify(tasks) });
  const texts = z.array(z.string()).parse(JSON.parse(stdout));
  expect(texts).toHaveLength(tasks.length);
  for (const [index, { Template, Values }] of tasks.entries()) expect(texts[index]).toBe(renderGoTemplate(Template, Values));
});
