/**
 * Stands for Python with llama.cpp's converters, and for llama-quantize: writes small GGUF files of the right outside.
 * `<home>/behaviour` says what goes wrong; `<home>/calls` keeps what it was asked.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ggufBytes, type GgufValue } from '../gguf-bytes.ts';

const [home = '', role = '', ...words] = process.argv.slice(2);
const behaviour = existsSync(path.join(home, 'behaviour')) ? readFileSync(path.join(home, 'behaviour'), 'utf8') : '';
const after = (flag: string): string => words[words.indexOf(flag) + 1] ?? '';
const numberOf: Record<string, number> = { f32: 0, f16: 1, q5_0: 6, q8_0: 8, q4_k_m: 12, q5_k_m: 13, q6_k: 14, bf16: 30 };

if (words[0] === '--help') {
  process.stdout.write(behaviour === 'old quantizer' ? 'Q4_K_M Q5_K_M Q6_K' : '--dry-run Q4_K_M Q5_K_M Q6_K');
  process.exit(1);
}
const isAdapter = (words[0] ?? '').endsWith('convert_lora_to_gguf.py');
const type = role === 'quantize' ? (words[2] ?? '').toLowerCase() : after('--outtype');
const target = role === 'quantize' ? (words[1] ?? '') : after('--outfile');
appendFileSync(path.join(home, 'calls'), `${isAdapter ? 'adapter' : role} ${type}\n`);

if (behaviour === `fail at ${type}`) {
  writeFileSync(target, 'half');
  process.stderr.write(
    'INFO:gguf:one\rWriting:  50%|#####     | 1/2\rTraceback (most recent call last):\n  File "x.py"\nERROR:hf-to-gguf:Model StrangeForCausalLM is not supported\n',
  );
  process.exit(1);
}
if (behaviour === `full at ${type}`) {
  writeFileSync(target, 'half');
  process.stderr.write('OSError: [Errno 28] No space left on device\n');
  process.exit(1);
}
if (behaviour === `killed at ${type}`) {
  writeFileSync(target, 'half');
  process.kill(process.pid, 'SIGKILL');
}
if (behaviour === `hang at ${type}`) {
  writeFileSync(target, 'half');
  await sleep(60_000);
}
const width = 256;
if (isAdapter) {
  const config: unknown = JSON.parse(readFileSync(path.join(words[1] ?? '', 'adapter_config.json'), 'utf8'));
  writeFileSync(
    path.join(home, 'adapter-seen.json'),
    JSON.stringify({ config, card: readFileSync(path.join(words[1] ?? '', 'README.md'), 'utf8') }),
  );
  const input = behaviour === 'wrong adapter' ? width * 2 : width;
  const name = behaviour === 'unknown tensor' ? 'blk.9.attn_q.weight' : 'blk.0.attn_q.weight';
  const tensors = [
    { name: `${name}.lora_a`, shape: [input, 4], type: 0, bytes: input * 16 },
    { name: `${name}.lora_b`, shape: [4, width], type: 0, bytes: width * 16 },
  ];
  writeFileSync(target, ggufBytes({ metadata: { 'general.architecture': 'llama', 'general.type': 'adapter' }, tensors }).bytes);
} else if (role === 'quantize') {
  writeFileSync(target, model(readFileSync(`${words[0] ?? ''}.template`, 'utf8'), behaviour === 'narrow rows' ? 'q5_0' : type));
} else {
  const settings = JSON.parse(readFileSync(path.join(words[1] ?? '', 'tokenizer_config.json'), 'utf8')) as { chat_template?: string };
  const template = settings.chat_template ?? '';
  // The stand-in for llama-quantize cannot read GGUF.
  writeFileSync(`${target.replace(/\.\d+\.tmp$/, '')}.template`, template);
  writeFileSync(target, model(template, type));
}

function model(template: string, format: string): Buffer {
  const metadata: Record<string, GgufValue> = {
    'general.architecture': 'llama',
    'tokenizer.ggml.tokens': ['<s>', '</s>'],
    'tokenizer.ggml.bos_token_id': { uint32: 0 },
    'tokenizer.ggml.eos_token_id': { uint32: 1 },
    'tokenizer.ggml.add_bos_token': true,
    ...(template !== '' && { 'tokenizer.chat_template': template }),
  };
  const tensors = [
    { name: 'blk.0.attn_q.weight', shape: [width, width], type: numberOf[format] ?? 0, bytes: width * width * 4 },
    { name: 'blk.0.attn_norm.weight', shape: [width], type: 0, bytes: width * 4 },
  ];
  return ggufBytes({ metadata, tensors }).bytes;
}
