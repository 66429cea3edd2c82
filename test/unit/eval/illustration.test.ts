import { describe, expect, it } from 'vitest';
import { ChatTemplate } from '../../../src/engine/chat-template.ts';
import type { GenerateRequest, Generation } from '../../../src/engine/engine.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { askIllustration, describeIllustration, Illustration, illustrationQuestion } from '../../../src/eval/illustration.ts';
import { readProjectTemplate } from '../../support/project-template.ts';

const template = new ChatTemplate({ owner: 'tuned', source: readProjectTemplate(), bosToken: '', eosToken: '</s>' });

/** Runs out of tokens after 20, to spare the test the time of 1200. */
class ShortEngine extends ScriptedEngine {
  override generate(request: GenerateRequest, signal?: AbortSignal): Generation {
    return super.generate({ ...request, maxTokens: 20 }, signal);
  }
}

function scripted(reply: string): { engine: ScriptedEngine; requests: GenerateRequest[] } {
  const requests: GenerateRequest[] = [];
  const engine = new ScriptedEngine({
    reply: (request) => {
      requests.push(request);
      return reply;
    },
  });
  return { engine, requests };
}

describe('askIllustration', () => {
  it('asks the question at 1200 new tokens, without a budget for the thought, with a fixed seed', async () => {
    const { engine, requests } = scripted('So.</think>Answer.');
    await askIllustration('tuned', engine, template, () => undefined);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ maxTokens: 1200, thinkingBudgetTokens: null, seed: 3407, stop: [], isThoughtPreopened: true });
    expect(requests[0]?.prompt).toBe(template.render([{ role: 'user', content: illustrationQuestion }]).text);
  });

  it('keeps thought, answer and raw text, and measures their form', async () => {
    const raw = 'One two three.\n</think>\n\nFirst paragraph.\n\n- a bullet\n- another\n';
    const counts: number[] = [];
    const answer = await askIllustration('base', scripted(raw).engine, template, (tokens) => counts.push(tokens));
    expect(answer).toEqual({
      arm: 'base',
      thought: 'One two three.',
      answer: 'First paragraph.\n\n- a bullet\n- another\n',
      rawText: raw,
      thoughtClosed: 'model',
      finishReason: 'stop',
      thoughtTokens: 4,
      answerTokens: 7,
      answerBullets: 2,
      answerParagraphs: 2,
    });
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  it('leaves a thought unclosed that ran out of tokens, and says why', async () => {
    const answer = await askIllustration('base', new ShortEngine({ reply: () => 'again '.repeat(40) }), template, () => undefined);
    expect(answer).toMatchObject({ answer: '', thoughtClosed: 'never', finishReason: 'length', thoughtTokens: 20, answerTokens: 0 });
  });

  it('stops when its signal aborts', async () => {
    const controller = new AbortController();
    const asking = askIllustration('base', scripted('again '.repeat(500)).engine, template, () => controller.abort(), controller.signal);
    await expect(asking).rejects.toThrow('abort');
  });
});

describe('describeIllustration', () => {
  const unrelated = Array.from({ length: 20 }, (_value, index) => `Which drug treats condition ${index} of organ${index % 4}?`);

  it('says that the question is in the training set where it stands there, word for word or nearly so', () => {
    expect(describeIllustration([], [...unrelated, illustrationQuestion.toUpperCase()]).inTrainingSet).toBe(true);
    const paraphrase =
      'A 61-year-old woman with many years of leaking urine when she coughs or sneezes, never at night, has a gynaecological examination and Q-tip test. What would cystometry most likely show about residual volume and detrusor contractions?';
    expect(describeIllustration([], [...unrelated, paraphrase]).inTrainingSet).toBe(true);
  });

  it('says that it is not where nothing like it stands there', () => {
    expect(describeIllustration([], unrelated).inTrainingSet).toBe(false);
    expect(describeIllustration([], []).inTrainingSet).toBe(false);
  });

  it('records the sampling that was used, in the form of illustration.json', async () => {
    const { engine, requests } = scripted('So.</think>Answer.');
    const illustration = describeIllustration([await askIllustration('base', engine, template, () => undefined)], []);
    expect(Illustration.parse(JSON.parse(JSON.stringify(illustration)))).toEqual(illustration);
    const { sampling, seed, maxTokens } = requests[0] ?? {};
    expect(illustration.sampling).toEqual({
      temperature: sampling?.temperature,
      topP: sampling?.topP,
      seed,
      maxNewTokens: maxTokens,
      thinkingBudgetTokens: null,
    });
  });
});
