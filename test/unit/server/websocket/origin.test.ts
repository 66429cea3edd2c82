import { describe, expect, it } from 'vitest';
import { isOriginAllowed } from '../../../../src/server/websocket/origin.ts';

const allowed = ['https://ward.example.org'];

describe('an origin', () => {
  it.each([
    ['none, as of a program', undefined, 'localhost:8080'],
    ['the server’s own', 'http://localhost:8080', 'localhost:8080'],
    ['the same behind TLS', 'https://osler.example.org', 'osler.example.org'],
    ['a default port written out', 'http://osler.example.org', 'osler.example.org:80'],
    ['another case of the name', 'http://osler.example.org', 'OSLER.example.org'],
    ['an IPv6 address', 'http://[::1]:8080', '[::1]:8080'],
    ['one of the list', 'https://ward.example.org', 'localhost:8080'],
  ])('may open a socket: %s', (_title, origin, host) => {
    expect(isOriginAllowed(origin, host, allowed)).toBe(true);
  });

  it.each([
    ['a foreign one', 'https://evil.example', 'localhost:8080'],
    ['another port of this machine', 'http://localhost:3000', 'localhost:8080'],
    ['one that begins like the list’s', 'https://ward.example.org.evil.example', 'localhost:8080'],
    ['the list’s with another scheme', 'http://ward.example.org', 'localhost:8080'],
    ['a sandboxed frame or a file', 'null', 'localhost:8080'],
    ['an empty one', '', 'localhost:8080'],
    ['a file, where no host is named', 'file://', ''],
    ['a foreign one, where no host is named', 'https://evil.example', ''],
    ['one with the host as its user name', 'http://localhost:8080@evil.example', 'localhost:8080'],
  ])('may not: %s', (_title, origin, host) => {
    expect(isOriginAllowed(origin, host, allowed)).toBe(false);
  });
});
