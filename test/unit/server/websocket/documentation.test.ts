import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { packageRoot } from '../../../../src/core/package-root.ts';
import { closeCode } from '../../../../src/server/websocket/close-code.ts';
import { ServedModels } from '../../../../src/server/served-model.ts';
import { ClientFrame, clientFrameTypes, ServerFrame, serverFrameTypes } from '../../../../src/server/websocket/frames.ts';
import { helloFrame } from '../../../../src/server/websocket/hello-frame.ts';
import { defaultSocketLimits } from '../../../../src/server/websocket/limits.ts';

const page = readFileSync(path.join(packageRoot, 'docs/websocket.md'), 'utf8');
const examples = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
const types = examples.map((example) => z.looseObject({ type: z.string() }).parse(JSON.parse(example)).type);

describe('docs/websocket.md', () => {
  it.each(examples)('has an example that is a frame: %s', (example) => {
    const frame: unknown = JSON.parse(example);
    expect(z.union([ClientFrame, ServerFrame]).safeParse(frame).error).toBeUndefined();
  });

  it('has an example of every frame, and of no other', () => {
    expect(new Set(types)).toEqual(new Set([...clientFrameTypes, ...serverFrameTypes]));
  });

  it('greets as the server does', () => {
    const hello = examples.map((example) => ServerFrame.safeParse(JSON.parse(example)).data).find((frame) => frame?.type === 'hello');
    const { limits, notice } = helloFrame({ models: new ServedModels([]) }, defaultSocketLimits);
    expect(hello).toMatchObject({ limits, notice });
  });

  it('names every close code', () => {
    for (const code of Object.values(closeCode)) expect(page).toContain(`| ${code} |`);
  });
});
