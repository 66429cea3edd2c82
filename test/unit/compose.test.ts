import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { packageRoot } from '../../src/core/package-root.ts';
import { allInstructions, lastOf, readDockerfile } from '../support/dockerfile.ts';

const Service = z.looseObject({
  profiles: z.array(z.string()).length(1),
  build: z.strictObject({ context: z.literal('.'), target: z.string() }),
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  ports: z.array(z.string()),
  volumes: z.array(z.string()),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
});
const compose: unknown = parse(readFileSync(path.join(packageRoot, 'compose.yaml'), 'utf8'), { merge: true });
const { services, volumes } = z
  .looseObject({ services: z.record(z.string(), Service), volumes: z.record(z.string(), z.null()) })
  .parse(compose);
const stages = readDockerfile(path.join(packageRoot, 'Dockerfile'));

describe('compose.yaml', () => {
  it.each(Object.entries(services))('%s is built from a target that there is, with that image’s volumes and port', (_name, service) => {
    const instructions = allInstructions(stages, service.build.target);
    const places = service.volumes.map((volume) => volume.split(':'));
    expect(places.map(([, place]) => place)).toEqual(JSON.parse(lastOf(instructions, 'VOLUME') ?? '[]'));
    for (const [name = ''] of places) expect(Object.keys(volumes)).toContain(name);
    expect(service.ports).toEqual([expect.stringMatching(new RegExp(`^127\\.0\\.0\\.1:.*:${lastOf(instructions, 'EXPOSE')}$`))]);
    expect(service.command.slice(0, 3)).toEqual(['serve', '--host', '0.0.0.0']);
  });

  it.each(Object.entries(services))('%s does not start without an API key', (_name, service) => {
    expect(service.environment['OSLER_API_KEY']).toMatch(/^\$\{OSLER_API_KEY:\?/);
  });

  it('starts one of them at a time, and the GPU only where it is asked for', () => {
    expect(Object.values(services).flatMap(({ profiles }) => profiles)).toEqual(['cpu', 'gpu']);
    expect(services['cpu']).not.toHaveProperty('deploy');
    expect(services['gpu']).toHaveProperty('deploy.resources.reservations.devices.0.capabilities', ['gpu']);
    expect(services['gpu']?.environment['OSLER_GPU']).toBe('cuda');
  });
});
