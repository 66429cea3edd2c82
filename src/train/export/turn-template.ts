/** Text before and after something. */
export type Around = readonly [before: string, after: string];

/**
 * A chat template taken apart into the fixed texts around what users and models write.
 * It renders: the head, then each turn in its texts, then what opens the next answer.
 */
export interface TurnTemplate {
  /** Before the first turn, where there is no system message. */
  readonly head: string;
  /** In place of the head where there is one; null: the template takes no notice of it. */
  readonly system: Around | null;
  readonly user: Around;
  readonly assistant: Around;
  /** Around the thought of an earlier answer, before that answer; null: earlier thoughts are left out. */
  readonly thought: Around | null;
  readonly generation: string;
  /** In place of `generation` where the user asks for no thought; null: the template knows no such wish. */
  readonly generationWithoutThought: string | null;
}

/** One message, with the names that chat templates read. */
export interface TurnMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
  readonly reasoning_content?: string;
}

/** What the parts render to; what a template proves to be is compared with this. `wantsThought` false: the user asks for none. */
export function renderTurns(template: TurnTemplate, messages: readonly TurnMessage[], wantsThought = true): string {
  const system = messages.find((message) => message.role === 'system');
  const head = system === undefined || template.system === null ? template.head : wrap(template.system, system.content);
  const turns = messages.map(({ role, content, reasoning_content: thought = '' }) => {
    if (role === 'system') return '';
    if (role === 'user') return wrap(template.user, content);
    return wrap(template.assistant, `${thought === '' || template.thought === null ? '' : wrap(template.thought, thought)}${content}`);
  });
  const generation = wantsThought ? template.generation : (template.generationWithoutThought ?? template.generation);
  return `${head}${turns.join('')}${generation}`;
}

function wrap([before, after]: Around, content: string): string {
  return `${before}${content}${after}`;
}
