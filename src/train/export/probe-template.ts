import { Template } from '@huggingface/jinja';
import { messageOf } from '../../core/errors.ts';
import { type Around, renderTurns, type TurnMessage, type TurnTemplate } from './turn-template.ts';

/** The parts of a template, or why it has none that render alike. */
export type Probed = { readonly template: TurnTemplate; readonly trimsContent: boolean } | { readonly reason: string };

export interface SpecialTokens {
  readonly bosToken: string;
  readonly eosToken: string;
}

class NotInParts extends Error {}

type Render = (messages: readonly TurnMessage[], variables?: Record<string, unknown>) => string;

/** Words that stand in no template; plain letters, so that no filter changes them. */
const [system, question, thought, answer] = ['OslerProbeSystem', 'OslerProbeQuestion', 'OslerProbeThought', 'OslerProbeAnswer'] as const;
const systemTurn: TurnMessage = { role: 'system', content: system };
const asked = (mark = 'A'): TurnMessage => ({ role: 'user', content: question + mark });
const answered = (mark = 'A', reasoning?: string): TurnMessage => ({
  role: 'assistant',
  content: answer + mark,
  ...(reasoning !== undefined && { reasoning_content: reasoning }),
});

/**
 * Takes a Jinja chat template apart by rendering conversations of marked words and cutting at them.
 * What comes out is then rendered for other conversations and compared: parts that would render anything else are not given.
 */
export function probeTemplate(source: string, tokens: SpecialTokens): Probed {
  if (/\bstrftime_now\b/.test(source)) return { reason: 'it writes the date of the day' };
  try {
    const jinja = new Template(source);
    const render: Render = (messages, variables = {}) =>
      jinja.render({
        messages: messages.map((message) => ({ ...message })),
        bos_token: tokens.bosToken,
        eos_token: tokens.eosToken,
        add_generation_prompt: true,
        ...variables,
      });
    const template = takeApart(render);
    compare(template, render);
    return { template, trimsContent: !render([{ role: 'user', content: ` ${question} ` }]).includes(` ${question} `) };
  } catch (error) {
    return { reason: error instanceof NotInParts ? error.message : `it cannot be rendered (${messageOf(error)})` };
  }
}

function takeApart(render: Render): TurnTemplate {
  const closed = { add_generation_prompt: false };
  const one = render([asked()], closed);
  const [before = '', afterUser = ''] = cut(one, [question + 'A'], 'a question');
  const [, toAnswer = '', toQuestion = '', , afterAnswer = ''] = cut(
    render([asked(), answered(), asked('B'), answered('B')], closed),
    [question + 'A', answer + 'A', question + 'B', answer + 'B'],
    'several turns',
  );
  const assistant: Around = [without(toAnswer, { start: afterUser }, 'its answers'), afterAnswer];
  const user: Around = [without(toQuestion, { start: afterAnswer }, 'its later questions'), afterUser];
  return {
    head: without(before, { end: user[0] }, 'its first question'),
    system: systemPart(render, user, one),
    user,
    assistant,
    thought: thoughtPart(render, toAnswer),
    ...generationParts(render, one),
  };
}

function systemPart(render: Render, user: Around, withoutSystem: string): Around | null {
  const text = render([systemTurn, asked()], { add_generation_prompt: false });
  if (text === withoutSystem) return null;
  const [before = '', between = '', after = ''] = cut(text, [system, question + 'A'], 'a system message');
  if (after !== user[1]) throw new NotInParts('a system message changes what follows a question');
  return [before, without(between, { end: user[0] }, 'the first question after a system message')];
}

function thoughtPart(render: Render, toAnswer: string): Around | null {
  const text = render([asked(), answered('A', thought), asked('B')], { add_generation_prompt: false });
  if (!text.includes(thought)) return null;
  const [, before = '', after = ''] = cut(text, [question + 'A', thought, answer + 'A', question + 'B'], 'an earlier thought');
  return [without(before, { start: toAnswer }, 'earlier thoughts'), after];
}

function generationParts(render: Render, closed: string): Pick<TurnTemplate, 'generation' | 'generationWithoutThought'> {
  const opened = (variables: Record<string, unknown>): string =>
    without(render([asked()], variables), { start: closed }, 'the opening of its answer');
  const [generation, wanted, unwanted] = [opened({}), opened({ enable_thinking: true }), opened({ enable_thinking: false })];
  if (wanted !== generation) throw new NotInParts('it thinks only where it is asked to');
  return { generation, generationWithoutThought: unwanted === generation ? null : unwanted };
}

/** Conversations of other words and lengths must come out of the parts as they come out of the template. */
function compare(template: TurnTemplate, render: Render): void {
  const conversations: TurnMessage[][] = [
    [asked('C')],
    [asked('C'), answered('C'), asked('D')],
    [asked('C'), answered('C', thought), asked('D'), answered('D', thought), asked('E')],
  ];
  for (const turns of conversations)
    for (const messages of template.system === null ? [turns] : [turns, [systemTurn, ...turns]])
      for (const isThinking of [true, false]) {
        const expected = render(messages, isThinking ? {} : { enable_thinking: false });
        if (renderTurns(template, messages, isThinking) !== expected)
          throw new NotInParts(`${messages.length} messages render otherwise than their parts, one after another`);
      }
}

/** The texts between marks that must all be there, each once and in this order. */
function cut(text: string, marks: readonly string[], what: string): string[] {
  const parts: string[] = [];
  let rest = text;
  for (const mark of marks) {
    const place = rest.indexOf(mark);
    if (place === -1 || text.split(mark).length !== 2) throw new NotInParts(`it does not render ${what} once and in order`);
    parts.push(rest.slice(0, place));
    rest = rest.slice(place + mark.length);
  }
  return [...parts, rest];
}

function without(text: string, edge: { readonly start?: string; readonly end?: string }, what: string): string {
  const { start = '', end = '' } = edge;
  if (!text.startsWith(start) || !text.endsWith(end) || text.length < start.length + end.length)
    throw new NotInParts(`${what} have another form than the turns around them`);
  return text.slice(start.length, text.length - end.length);
}
