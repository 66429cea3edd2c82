import { describe, expect, it } from 'vitest';
import { engineFindings } from '../../../../src/cli/doctor/engine-findings.ts';
import { type CandidateOutcome, reportOf } from '../../../../src/engine/llama/backend-report.ts';
import { type BackendChoice, backendName } from '../../../../src/engine/llama/backend-choice.ts';
import { nvidiaMachine, plainMachine } from '../../engine/llama/backend-fixture.ts';

function outcome(choice: BackendChoice, result: { passed: number } | { failed: string } | { skipped: string }): CandidateOutcome {
  const blank = { choice, name: backendName(choice), reason: null, device: null, tokensPerSecond: null, seconds: null };
  if ('passed' in result) return { ...blank, state: 'passed', device: 'GPU 0', tokensPerSecond: result.passed, seconds: 1.25 };
  if ('failed' in result) return { ...blank, state: 'failed', reason: result.failed, seconds: 3 };
  return { ...blank, state: 'skipped', reason: result.skipped };
}

const cudaBuild: BackendChoice = { source: 'build', gpu: 'cuda', cmakeOptions: {} };
const cuda: BackendChoice = { source: 'prebuilt', gpu: 'cuda' };
const vulkan: BackendChoice = { source: 'prebuilt', gpu: 'vulkan' };
const cpu: BackendChoice = { source: 'prebuilt', gpu: 'off' };
const cpuBuild: BackendChoice = { source: 'build', gpu: 'off', cmakeOptions: {} };

function found(
  outcomes: CandidateOutcome[],
  devices = nvidiaMachine,
): { title: string; level: string; text: string; mend: string | null }[] {
  return engineFindings(outcomes, reportOf(outcomes), devices);
}

describe('engineFindings', () => {
  it('gives speed and time of what decodes, and is content', () => {
    const findings = found([outcome(cudaBuild, { passed: 812.4 }), outcome(cpuBuild, { passed: 90 })]);
    expect(findings[0]).toEqual({
      title: 'Backend',
      level: 'ok',
      text: 'CUDA, built here: decodes on GPU 0, 812 tokens/s with the test model in 1.3 s',
      mend: null,
    });
    expect(findings.at(-1)).toMatchObject({ title: 'Engine', level: 'ok', mend: null });
  });

  it('names the build that mends a GPU that nothing can use', () => {
    const findings = found([
      outcome(cuda, { failed: 'its process was ended by SIGABRT' }),
      outcome(vulkan, { skipped: 'this machine lacks libvulkan.so.1' }),
      outcome(cpuBuild, { passed: 90 }),
    ]);
    expect(findings[0]).toMatchObject({ level: 'warning', mend: 'npx osler engine build --gpu cuda' });
    expect(findings.at(-1)).toMatchObject({ level: 'warning', mend: 'npx osler engine build --gpu cuda' });
    expect(findings.at(-1)?.text).toContain('CPU, built here');
  });

  it('asks for nothing where another backend does it on the same GPU', () => {
    const findings = found([outcome(cudaBuild, { passed: 800 }), outcome(cuda, { failed: 'SIGABRT' }), outcome(cpuBuild, { passed: 90 })]);
    expect(findings.map(({ mend }) => mend)).toEqual([null, null, null, null]);
  });

  it('tells to compile a broken build again', () => {
    expect(found([outcome(cudaBuild, { failed: 'SIGILL' }), outcome(cpu, { passed: 9 })])[0]).toMatchObject({
      mend: 'npx osler engine build --gpu cuda --force',
    });
  });

  it('asks for no build for a device that is not there', () => {
    const findings = found(
      [outcome(cuda, { skipped: 'this machine shows no NVIDIA GPU' }), outcome(cpuBuild, { passed: 90 })],
      plainMachine,
    );
    expect(findings.map(({ level }) => level)).toEqual(['note', 'ok', 'ok']);
  });

  it.runIf(process.platform === 'linux')('recommends a build of its own to a machine that computes on its CPU', () => {
    expect(found([outcome(cpu, { passed: 90 })], plainMachine).at(-1)).toMatchObject({
      level: 'note',
      mend: 'npx osler engine build --gpu off',
    });
  });

  it('fails where nothing decodes', () => {
    expect(found([outcome(cpu, { failed: 'SIGILL' })], plainMachine).at(-1)).toMatchObject({
      level: 'failure',
      mend: 'npx osler engine build --gpu off',
    });
    expect(found([outcome(cuda, { skipped: 'no NVIDIA GPU' })], plainMachine).at(-1)).toMatchObject({
      level: 'failure',
      mend: 'unset OSLER_GPU, or set it to off to use the CPU',
    });
  });
});
