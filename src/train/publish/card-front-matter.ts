import { stringify } from 'yaml';
import type { CardFacts } from './card-facts.ts';

/** The card's metadata by the Hub's rules (https://huggingface.co/docs/hub/model-cards). */
export function cardFrontMatter(facts: CardFacts): string {
  const { base, data, parts } = facts;
  const { licence } = base;
  const isAdapterOnly = parts.size === 1 && parts.has('adapter');
  const isGgufOnly = parts.size === 1 && parts.has('gguf');
  const metadata = {
    ...(data.language !== null && { language: [data.language] }),
    license: licence.id,
    ...(licence.id === 'other' &&
      licence.link !== null && { license_name: licence.name.toLowerCase().replaceAll(/[^a-z0-9.-]+/g, '-'), license_link: licence.link }),
    library_name: isAdapterOnly ? 'peft' : isGgufOnly ? 'gguf' : 'transformers',
    pipeline_tag: 'text-generation',
    ...(base.repo !== null && { base_model: [base.repo], base_model_relation: isAdapterOnly ? 'adapter' : 'finetune' }),
    ...(data.repo !== null && { datasets: [data.repo] }),
    tags: ['medical', 'reasoning', 'chain-of-thought', 'lora', 'sft', 'osler', 'research-only', ...(parts.has('gguf') ? ['gguf'] : [])],
    // Nobody should meet it as a widget without having read the card.
    inference: false,
  };
  return `---\n${stringify(metadata)}---\n`;
}
