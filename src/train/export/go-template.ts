import type { Around, TurnTemplate } from './turn-template.ts';

/**
 * A chat template in Ollama's form: Go's text/template over `.System`, `.Messages` and, from Ollama 0.9 on, `.Think`.
 *
 * @param options.bosToken left out at the beginning where the tokenizer adds it by itself; null: it adds none
 */
export function goTemplate(template: TurnTemplate, options: { readonly bosToken: string | null }): string {
  const { user, assistant, thought, generation, generationWithoutThought } = template;
  const turns = [
    `{{ range .Messages }}{{ if eq .Role "user" }}${around(user, '.Content')}`,
    `{{ else if eq .Role "assistant" }}${literal(assistant[0])}`,
    // Ollama takes the tags of a thought from the texts around this action.
    thought === null ? '' : `{{ if .Thinking }}${around(thought, '.Thinking')}{{ end }}`,
    `{{ .Content }}${literal(assistant[1])}{{ end }}{{ end }}`,
  ];
  const opening =
    generationWithoutThought === null
      ? literal(generation)
      : `{{ if and .IsThinkSet (not .Think) }}${literal(generationWithoutThought)}{{ else }}${literal(generation)}{{ end }}`;
  return `${head(template, options.bosToken ?? '')}${turns.join('')}${opening}`;
}

function head(template: TurnTemplate, bosToken: string): string {
  const plain = withoutStart(template.head, bosToken);
  if (template.system === null) return literal(plain);
  const [before, after] = [withoutStart(template.system[0], bosToken), template.system[1]];
  const shared = sharedStart(plain, before);
  const withSystem = around([before.slice(shared.length), after], '.System');
  return `${literal(shared)}{{ if .System }}${withSystem}{{ else }}${literal(plain.slice(shared.length))}{{ end }}`;
}

function around([before, after]: Around, field: string): string {
  return `${literal(before)}{{ ${field} }}${literal(after)}`;
}

function withoutStart(text: string, start: string): string {
  return text.startsWith(start) ? text.slice(start.length) : text;
}

function sharedStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  // Never between the halves of a character.
  if (/[\uD800-\uDBFF]/.test(a[length - 1] ?? '')) length -= 1;
  return a.slice(0, length);
}

/**
 * Fixed text. What Go would read as an action, or Ollama's Modelfile parser as the end of the text or drop (all that Go's
 * `strconv.IsPrint` refuses but spaces, tabs and line ends), is written as a Go string.
 */
function literal(text: string): string {
  return text.replaceAll(/\{+|"{3,}|[^\p{L}\p{M}\p{N}\p{P}\p{S} \t\n]+/gu, (special) => `{{ ${goString(special)} }}`);
}

function goString(text: string): string {
  const escaped = [...text].map((character) => {
    const code = character.codePointAt(0) ?? 0;
    if (character === '"') return '\\"';
    if (/[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(character)) return character;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${escaped.join('')}"`;
}
