import { z } from 'zod';
import { EngineGpu } from './backend-choice.ts';

/** What the building process is asked, as JSON in its command line. CMake's options are in its environment. */
export const BuildRequest = z.strictObject({
  gpu: EngineGpu,
  /** Compilers at once. */
  jobs: z.int().min(1),
  /** Whether the sources are unpacked from node-llama-cpp's bundle first. */
  unpacks: z.boolean(),
});
export type BuildRequest = z.infer<typeof BuildRequest>;
