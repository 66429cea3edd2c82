import type { CardFacts } from './card-facts.ts';
import { adapterGgufPath, ggufPath } from './publish-files.ts';

/** How to use what the repository holds; only what it holds. */
export function useSections(facts: CardFacts): string[] {
  const { parts, ggufTypes, repo, base } = facts;
  const sections = [
    'The prompt is the chat template that travels with the tokenizer and the GGUF files; the generation prompt opens the thought (`<think>`), and the answer follows after `</think>`. Another template gives other results than those measured.',
  ];
  if (parts.has('merged')) sections.push('With transformers:', code('python', transformersExample(repo)));
  if (parts.has('adapter')) sections.push(...adapterUse(facts));
  const type = ggufTypes[0];
  if (parts.has('gguf') && type !== undefined) {
    sections.push(
      'With Osler (thought and answer apart, an OpenAI-compatible service):',
      code('sh', `npx osler serve --model tuned=${repo}:${ggufPath(facts.run.recipe.output.name, type)}`),
      `With Ollama or llama.cpp (formats here: ${ggufTypes.join(', ')}; a private repository needs your key with the Hub):`,
      code('sh', [`ollama run hf.co/${repo}:${type}`, `llama-server -hf ${repo}:${type}`].join('\n')),
    );
    if (facts.hasModelfile)
      sections.push(
        'Ollama does not run Jinja templates. The `Modelfile` here holds this model’s prompt in Ollama’s own form; with it:',
        code(
          'sh',
          `hf download ${repo} Modelfile ${ggufPath(facts.run.recipe.output.name, type)} --local-dir model && cd model && ollama create ${facts.run.recipe.output.name.toLowerCase()} -f Modelfile`,
        ),
      );
  }
  if (base.repo === null && parts.has('adapter'))
    sections.push('The base model is not on the Hub, so the adapter is of use to whoever has it.');
  return sections;
}

function adapterUse({ repo, base, hasAdapterGguf, run }: CardFacts): string[] {
  const from = base.repo ?? 'PATH-OF-THE-BASE';
  const revision = base.revision === null ? '' : `, revision="${base.revision}"`;
  const lines = [
    'from peft import PeftModel',
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    '',
    `tokenizer = AutoTokenizer.from_pretrained("${repo}", subfolder="adapter")`,
    `base = AutoModelForCausalLM.from_pretrained("${from}"${revision}, dtype="auto", device_map="auto")`,
    `model = PeftModel.from_pretrained(base, "${repo}", subfolder="adapter")`,
  ];
  const gguf = hasAdapterGguf ? [`The adapter as GGUF, over the base's own GGUF: \`${adapterGgufPath(run.recipe.output.name)}\`.`] : [];
  return ['The adapter alone, over its base:', code('python', lines.join('\n')), ...gguf];
}

function transformersExample(repo: string): string {
  return [
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    '',
    `tokenizer = AutoTokenizer.from_pretrained("${repo}")`,
    `model = AutoModelForCausalLM.from_pretrained("${repo}", dtype="auto", device_map="auto")`,
    'messages = [{"role": "user", "content": "Which vitamin is missing in scurvy, and why do the gums bleed?"}]',
    'inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt").to(model.device)',
    'output = model.generate(**inputs, max_new_tokens=1200)',
    'print(tokenizer.decode(output[0][inputs["input_ids"].shape[1] :], skip_special_tokens=True))',
  ].join('\n');
}

function code(language: string, text: string): string {
  return `\`\`\`${language}\n${text}\n\`\`\``;
}
