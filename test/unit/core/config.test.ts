import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { childEnvironment, readConfig } from '../../../src/core/config.ts';
import { errorOf } from '../../support/error-of.ts';

describe('readConfig', () => {
  it('has a default for every setting', () => {
    expect(readConfig({})).toEqual({
      home: path.join(os.homedir(), '.osler'),
      logLevel: 'info',
      apiKey: null,
      rateLimitPerMinute: null,
      corsOrigins: [],
      trustedProxies: [],
      threads: Math.min(os.availableParallelism(), 256),
      python: null,
      venv: null,
      retentionDays: null,
      benchmarkData: null,
      gpu: 'auto',
      upstreamKeys: {},
      hubEndpoint: 'https://huggingface.co',
      hubToken: null,
      isCi: false,
    });
  });

  it('takes every setting from the environment', () => {
    const config = readConfig({
      OSLER_HOME: 'some/home',
      OSLER_LOG_LEVEL: 'warn',
      OSLER_API_KEY: '0123456789abcdef',
      OSLER_RATE_LIMIT_PER_MINUTE: '0',
      OSLER_CORS_ORIGINS: 'https://a.example, http://localhost:5173,',
      OSLER_TRUSTED_PROXIES: '10.0.0.0/8,::1',
      OSLER_THREADS: '3',
      OSLER_PYTHON: '/usr/bin/python3.12',
      OSLER_VENV: 'cache/venv',
      OSLER_RETENTION_DAYS: '90',
      OSLER_BENCHMARK_DATA: 'rows',
      OSLER_GPU: 'off',
      OSLER_UPSTREAM_KEYS: 'api.example.com=sk-1',
      HF_ENDPOINT: 'https://hub.example.org///',
      HF_TOKEN: 'hf_1',
      CI: 'true',
    });
    expect(config).toEqual({
      home: path.resolve('some/home'),
      logLevel: 'warn',
      apiKey: '0123456789abcdef',
      rateLimitPerMinute: 0,
      corsOrigins: ['https://a.example', 'http://localhost:5173'],
      trustedProxies: ['10.0.0.0/8', '::1'],
      threads: 3,
      python: '/usr/bin/python3.12',
      venv: path.resolve('cache/venv'),
      retentionDays: 90,
      benchmarkData: path.resolve('rows'),
      gpu: 'off',
      upstreamKeys: { 'api.example.com': 'sk-1' },
      hubEndpoint: 'https://hub.example.org',
      hubToken: 'hf_1',
      isCi: true,
    });
  });

  it('reports all problems together, each with the name of its variable', async () => {
    const error = await errorOf(() =>
      readConfig({ OSLER_LOG_LEVEL: 'loud', OSLER_API_KEY: 'short', OSLER_THREADS: 'many', OSLER_GPU: 'abacus', HF_ENDPOINT: 'hub' }),
    );
    expect(error.code).toBe('OSLER_ERR_CONFIG_INVALID');
    expect(error.message).toContain('5 problem(s)');
    for (const name of ['OSLER_LOG_LEVEL', 'OSLER_API_KEY', 'OSLER_THREADS', 'OSLER_GPU', 'HF_ENDPOINT'])
      expect(error.message).toContain(`\n  ${name}: `);
  });

  it('never shows the value of a secret in a problem', async () => {
    const error = await errorOf(() => readConfig({ OSLER_API_KEY: 'hunter2' }));
    expect(error.message).not.toContain('hunter2');
  });

  it.each(['*', 'a.example', 'https://a.example/', 'https://a.example/path', 'null', 'https://a.example,*'])(
    'refuses %s for origins',
    async (text) => expect((await errorOf(() => readConfig({ OSLER_CORS_ORIGINS: text }))).message).toContain('OSLER_CORS_ORIGINS'),
  );

  it.each(['proxy.local', '10.0.0.0/99', 'true', '1'])('refuses %s for trusted proxies', async (text) =>
    expect((await errorOf(() => readConfig({ OSLER_TRUSTED_PROXIES: text }))).message).toContain('OSLER_TRUSTED_PROXIES'),
  );

  it.each(['0', '-1', '0.5', 'never', '40000'])('refuses to delete after %s days', async (text) =>
    expect((await errorOf(() => readConfig({ OSLER_RETENTION_DAYS: text }))).message).toContain('OSLER_RETENTION_DAYS'),
  );

  it.each(['0', '-2', '1.5', 'NaN', '1e999'])('refuses %s threads', async (text) => {
    expect((await errorOf(() => readConfig({ OSLER_THREADS: text }))).message).toContain('OSLER_THREADS');
  });

  it('caps threads at 256, whatever is asked for', () => {
    expect(readConfig({ OSLER_THREADS: '256' }).threads).toBe(256);
    expect(readConfig({ OSLER_THREADS: '100000' }).threads).toBe(256);
  });

  it('takes an empty variable as one that is not set', () => {
    expect(readConfig({ OSLER_THREADS: '', OSLER_API_KEY: '', HF_TOKEN: '', CI: '' })).toEqual(readConfig({}));
  });

  it('takes HUGGINGFACE_TOKEN where HF_TOKEN is not set', () => {
    expect(readConfig({ HUGGINGFACE_TOKEN: 'alias' }).hubToken).toBe('alias');
    expect(readConfig({ HUGGINGFACE_TOKEN: 'alias', HF_TOKEN: '' }).hubToken).toBe('alias');
    expect(readConfig({ HUGGINGFACE_TOKEN: 'alias', HF_TOKEN: 'own' }).hubToken).toBe('own');
  });

  it('files keys of upstreams by host, and keeps an equals sign that is part of one', () => {
    expect(readConfig({ OSLER_UPSTREAM_KEYS: 'API.example.com=sk-a=, 10.0.0.5:8000=b' }).upstreamKeys).toEqual({
      'api.example.com': 'sk-a=',
      '10.0.0.5:8000': 'b',
    });
    expect(readConfig({}).upstreamKeys).toEqual({});
  });

  it('refuses keys of upstreams without their host, and does not show them', async () => {
    const error = await errorOf(() => readConfig({ OSLER_UPSTREAM_KEYS: 'sk-alone' }));
    expect(error.message).toContain('host=key');
    expect(error.message).not.toContain('sk-alone');
  });

  it('takes CI=false for no CI', () => {
    expect(readConfig({ CI: 'false' }).isCi).toBe(false);
    expect(readConfig({ CI: '1' }).isCi).toBe(true);
  });

  it('gives settings that nobody can change', () => expect(Object.isFrozen(readConfig({}))).toBe(true));
});

describe('childEnvironment', () => {
  it('adds to our own environment without changing it', () => {
    const child = childEnvironment({ OSLER_TEST_ADDITION: 'x' });
    expect(child['OSLER_TEST_ADDITION']).toBe('x');
    expect(child['PATH']).toBe(process.env['PATH']);
    expect(process.env['OSLER_TEST_ADDITION']).toBeUndefined();
  });
});
