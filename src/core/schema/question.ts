import { z } from 'zod';

const nonBlank = z.string().refine((text) => text.trim() !== '', 'must not be blank');

/**
 * One evaluation item, multiple choice (`options` and `answer` set) or open (both null).
 * Fields beyond these are kept as they are.
 */
export const Question = z
  .looseObject({
    id: nonBlank,
    question: nonBlank,
    options: z
      .record(z.string().regex(/^[A-Z]$/, 'option keys are single capital letters'), z.string())
      .nullable()
      .default(null),
    answer: z.string().nullable().default(null).describe('letter of the right option'),
    answer_text: z.string().nullable().default(null).describe('text of the right option, or the reference answer'),
    reasoning: z.string().nullable().default(null).describe('reference thought, where there is one'),
    context: z.string().nullable().default(null).describe('passage that the question is about (PubMedQA)'),
    subject: z.string().nullable().default(null),
    specialty: z.string().optional().describe('a second grouping beside the subject, such as the body system'),
    sourceId: z.string().optional().describe('name of the item where it was published'),
    promptTemplate: z
      .string()
      .optional()
      .describe('how to ask it, with {context}, {question} and {options}; default: as all items of its kind'),
    cluster: z.string().nullable().default(null).describe('items sharing a vignette; equal stems are clustered without it'),
    must_have: z.array(z.string()).nullable().default(null),
    nice_to_have: z.array(z.string()).nullable().default(null),
  })
  .check((ctx) => {
    const { options, answer } = ctx.value;
    if (options !== null && Object.keys(options).length < 2)
      ctx.issues.push({ code: 'custom', input: options, path: ['options'], message: 'multiple choice needs two options or more' });
    if (options !== null && (answer === null || !(answer in options)))
      ctx.issues.push({
        code: 'custom',
        input: answer,
        path: ['answer'],
        message:
          answer === null ? 'there is none' : `answer ${JSON.stringify(answer)} is none of the options ${Object.keys(options).join(', ')}`,
      });
    for (const placeholder of options === null ? ['{question}'] : ['{question}', '{options}'])
      if (ctx.value.promptTemplate?.includes(placeholder) === false)
        ctx.issues.push({ code: 'custom', input: null, path: ['promptTemplate'], message: `lacks ${placeholder}` });
    if (options === null && ctx.value.answer_text === null)
      ctx.issues.push({ code: 'custom', input: null, path: ['answer_text'], message: 'an open question needs answer_text' });
  });
export type Question = z.infer<typeof Question>;
