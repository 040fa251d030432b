import type { LeaseAnswer, LeaseEngine, LeaseRequest } from '../../../src/remote-locks/lease-engine.js';

type Trouble = 'none' | 'fails' | 'hangs';

/** A database in memory, which can be made to fail, to hang and to lose its data. */
export class MemoryEngine implements LeaseEngine {
  readonly holders = new Map<string, { owner: string; token: bigint; endsAtMs: number }>();
  readonly requests: LeaseRequest[] = [];
  trouble: Trouble = 'none';
  renewals = 0;
  releases = 0;
  #tokens = 0n;

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    this.requests.push(request);
    await this.#answer();
    const { key, owner, ttlMs } = request;
    const holder = this.#holder(key);
    if (holder !== undefined && holder.owner !== owner) return { freeInMs: holder.endsAtMs - Date.now() };
    const token = holder?.token ?? ++this.#tokens;
    this.holders.set(key, { owner, token, endsAtMs: Date.now() + ttlMs });
    return { token };
  }

  async renew(key: string, owner: string, ttlMs: number): Promise<boolean> {
    this.renewals++;
    await this.#answer();
    const holder = this.#holder(key);
    if (holder?.owner !== owner) return false;
    holder.endsAtMs = Date.now() + ttlMs;
    return true;
  }

  async release(key: string, owner: string): Promise<boolean> {
    this.releases++;
    await this.#answer();
    return this.#holder(key)?.owner === owner && this.holders.delete(key);
  }

  async holder(key: string) {
    await this.#answer();
    const found = this.#holder(key);
    return found && { owner: found.owner, heldMs: undefined, leftMs: found.endsAtMs - Date.now() };
  }

  #holder(key: string) {
    const holder = this.holders.get(key);
    return holder !== undefined && holder.endsAtMs > Date.now() ? holder : undefined;
  }

  #answer(): Promise<void> {
    if (this.trouble === 'fails') return Promise.reject(new Error('connection refused'));
    return this.trouble === 'hangs' ? new Promise(() => {}) : Promise.resolve();
  }
}
