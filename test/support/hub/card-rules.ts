import { parseDocument } from 'yaml';
import { z } from 'zod';

const texts = z.union([z.string(), z.array(z.string())]);

/** Licence ids that the Hub knows, as far as tests need them (https://huggingface.co/docs/hub/repositories-licenses). */
const licences = ['apache-2.0', 'mit', 'llama2', 'llama3', 'llama3.1', 'llama3.2', 'llama3.3', 'gemma', 'cc-by-4.0', 'other', 'unknown'];

/** The Hub's rules for a model card's front matter (hub-docs, modelcard.md), for the fields that we write. */
const FrontMatter = z.looseObject({
  license: z.enum(licences).optional(),
  license_name: z
    .string()
    .regex(/^[a-z0-9-.]+$/)
    .optional(),
  license_link: z.union([z.literal('LICENSE'), z.literal('LICENSE.md'), z.url()]).optional(),
  language: texts.optional(),
  library_name: z.string().optional(),
  pipeline_tag: z.enum(['text-generation']).optional(),
  base_model: z.union([z.string().regex(/^[\w.-]+\/[\w.-]+$/), z.array(z.string().regex(/^[\w.-]+\/[\w.-]+$/))]).optional(),
  base_model_relation: z.enum(['adapter', 'merge', 'quantized', 'finetune']).optional(),
  datasets: texts.optional(),
  tags: z.array(z.string()).optional(),
  inference: z.boolean().optional(),
});

/** What the Hub would refuse a README.md for; undefined: nothing. */
export function cardProblem(text: string): string | undefined {
  const front = /^---\r?\n(.*?)\r?\n---/s.exec(text)?.[1];
  // The Hub only warns where there is none.
  if (front === undefined) return undefined;
  const document = parseDocument(front);
  if (document.errors.length > 0) return document.errors[0]?.message;
  const parsed = FrontMatter.safeParse(document.toJS());
  return parsed.success ? undefined : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
}
