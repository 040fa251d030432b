/** The few things that are asked of Redis, each one a script: what a script does, nobody sees half done. */
import { printable } from '../contract/errors.js';

/**
 * Sends one command and resolves with the reply: `(args) => client.call(...args)` of ioredis, with its types,
 * `(args) => client.sendCommand(args)` of redis.
 */
export type RedisSend = (args: string[]) => Promise<unknown>;

export class RedisCommands {
  readonly #send: RedisSend;
  /** Per connection: another server may not know the script. */
  readonly #digests = new Map<string, string>();

  constructor(send: RedisSend) {
    this.#send = send;
  }

  async run(source: string, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args.map(String)];
    const digest = this.#digests.get(source) ?? (await this.#load(source));
    try {
      return await this.#send(['EVALSHA', digest, ...rest]);
    } catch (error) {
      // The server has been started again, or its scripts were flushed.
      if (!/NOSCRIPT/.test(error instanceof Error ? error.message : printable(error))) throw error;
      this.#digests.delete(source);
      return this.#send(['EVAL', source, ...rest]);
    }
  }

  async #load(source: string): Promise<string> {
    const digest = String(await this.#send(['SCRIPT', 'LOAD', source]));
    this.#digests.set(source, digest);
    return digest;
  }
}

/** Numbers come as numbers, strings or bigints, as the client likes. */
export function numbers(reply: unknown): number[] {
  return (reply as unknown[]).map(Number);
}
