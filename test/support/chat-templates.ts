import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TurnMessage } from '../../src/train/export/turn-template.ts';
import { readProjectTemplate } from './project-template.ts';
import { hasShared, sharedFolder } from './shared-folder.ts';

const shared = 'data/templates/deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja';

/** Chat templates of the kinds that turns can be taken out of, by name. */
export const turnTemplates: Readonly<Record<string, string>> = {
  'of the project': readProjectTemplate(),
  'with a system text of its own':
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  'that takes no notice of a system message':
    "{{ bos_token }}{% for m in messages if m['role'] != 'system' %}{{ '[' + m['role'] + '] ' + m['content'] + eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}",
  'of the characters that Go and Ollama read otherwise':
    "{{ bos_token }}{{ '{{ .System }} {\"\"\"a\"\"\"\"} \\u00a0\\u200b\\u2028\\t\\r\\n|' }}{% for m in messages %}{{ '<' + m['role'] + '>{' + m['content'] + '}\"' }}{% endfor %}{% if add_generation_prompt %}{{ '<assistant>{\"' }}{% endif %}",
  ...(hasShared(shared) && { 'of DeepSeek-R1-Distill-Llama-8B': readFileSync(path.join(sharedFolder, shared), 'utf8') }),
};

const system: TurnMessage = { role: 'system', content: 'Answer briefly, {{ "now" }}.' };
const first: TurnMessage = { role: 'user', content: 'What is "croup"?\n\n{{ .Content }} ' };
const second: TurnMessage = { role: 'user', content: 'And measles — 麻疹 🩺?' };
const answer: TurnMessage = { role: 'assistant', content: 'An infection of the larynx.' };
const thoughtful: TurnMessage = { ...answer, reasoning_content: 'A child, a barking cough.\nSo croup.' };

/** Chats of every form that a template renders: with and without system message, earlier turns and their thoughts. */
export const chats: readonly (readonly TurnMessage[])[] = [
  [first],
  [system, first],
  [first, answer, second],
  [system, first, answer, second],
  [system, first, thoughtful, second, answer, first],
];
