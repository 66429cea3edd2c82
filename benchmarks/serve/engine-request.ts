import { z } from 'zod';
import type { GenerateRequest } from '../../src/engine/engine.ts';
import type { ChatTemplate } from '../../src/engine/chat-template.ts';

const Body = z.looseObject({
  messages: z.array(z.object({ role: z.enum(['system', 'user']), content: z.string() })),
  max_tokens: z.int(),
  seed: z.int(),
  temperature: z.number(),
  top_k: z.int(),
  top_p: z.number(),
  min_p: z.number(),
  repeat_penalty: z.number(),
  frequency_penalty: z.number(),
  presence_penalty: z.number(),
});

/** A body of the workload as the engine gets it from the server: rendered, and nothing left to defaults. */
export function engineRequestOf(text: string, template: ChatTemplate): GenerateRequest {
  const body = Body.parse(JSON.parse(text));
  const prompt = template.render(body.messages);
  return {
    prompt: prompt.text,
    isThoughtPreopened: prompt.isThoughtPreopened,
    isThinkingEnabled: prompt.isThinkingEnabled,
    maxTokens: body.max_tokens,
    thinkingBudgetTokens: null,
    sampling: {
      temperature: body.temperature,
      topP: body.top_p,
      topK: body.top_k,
      minP: body.min_p,
      repeatPenalty: body.repeat_penalty,
      frequencyPenalty: body.frequency_penalty,
      presencePenalty: body.presence_penalty,
    },
    seed: body.seed,
    stop: [],
    stopScope: 'content',
  };
}
