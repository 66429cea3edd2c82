import { timingSafeEqual } from 'node:crypto';
import { sha256 } from '../../core/digest.ts';
import { type ApiKey, Scope } from './api-key.ts';
import type { KeyStore } from './key-store.ts';

/** Who asks: a stored key, the key of the environment, or anybody on a server without keys. */
export interface Caller {
  /** The key's id; `environment` for OSLER_API_KEY; null where no key is asked for. */
  readonly keyId: string | null;
  readonly scopes: readonly Scope[];
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null until that is known, and on routes that everybody may ask. */
    caller: Caller | null;
  }
}

/** May do everything. */
const allScopes: readonly Scope[] = Scope.options;

/** Decides who may come in, and as whom. */
export class Access {
  readonly #keys: KeyStore;
  readonly #apiKey: string | null;
  readonly #isLoopback: boolean;

  constructor(options: { keys: KeyStore; apiKey: string | null; isLoopback: boolean }) {
    this.#keys = options.keys;
    this.#apiKey = options.apiKey;
    this.#isLoopback = options.isLoopback;
  }

  /** Whether the server is open: bound to this machine only, and no key was ever made. */
  isOpen(): boolean {
    return this.#isLoopback && this.#apiKey === null && !this.#keys.hasAny();
  }

  /** Everybody, on an open server. */
  anybody(): Caller {
    return { keyId: null, scopes: allScopes };
  }

  /** The holder of a stored key, or null. */
  holderOf(secret: string): Caller | null {
    const key = this.#keys.find(secret);
    if (key === null) return null;
    this.#noteUse(key);
    return { keyId: key.id, scopes: key.scopes };
  }

  /** The holder of OSLER_API_KEY, or null. People choose that key, so attempts at it must be counted. */
  holderOfEnvironmentKey(secret: string): Caller | null {
    if (this.#apiKey === null) return null;
    // Digests make the lengths equal.
    const isSame = timingSafeEqual(Buffer.from(sha256(secret)), Buffer.from(sha256(this.#apiKey)));
    return isSame ? { keyId: 'environment', scopes: allScopes } : null;
  }

  #noteUse(key: ApiKey): void {
    try {
      this.#keys.noteUse(key);
    } catch {
      // A full or locked disk must not lock the holder of a good key out.
    }
  }
}
