import { ChatTemplate } from '../chat-template.ts';
import { defaultThoughtTags } from '../thought-splitter.ts';

const mark = '{#- The messages go to the upstream as they are; this text stands for them where a prompt is named. -#}';

/**
 * Stands for the template of an upstream that keeps its own: its text is digested and never sent.
 * It ends like the upstream's own prompt, as far as that is known, so that thoughts are separated alike.
 */
export function createMessagesTemplate(owner: string, options: { isThoughtPreopened: boolean }): ChatTemplate {
  const { open, close } = defaultThoughtTags;
  // Written so that the tag does not stand in the source: a template that has it is taken for one of a model that opens its thoughts with it.
  const hiddenOpen = `{{ '${open.slice(0, 1)}' }}${open.slice(1)}`;
  const opening = options.isThoughtPreopened ? `{% else %}${hiddenOpen}\n` : '';
  const source = `${mark}{{ messages | tojson }}\n{% if enable_thinking is defined and enable_thinking == false %}${hiddenOpen}\n\n${close}\n\n${opening}{% endif %}`;
  return new ChatTemplate({ owner, source, bosToken: '', eosToken: '' });
}

/** Whether a template's text is such a stand-in, which no other model can be asked with. */
export function isMessagesTemplate(source: string): boolean {
  return source.startsWith(mark);
}
