/** How scripts are sent to Redis. Redis runs a script in one step, so no other client sees half of it. */
import { printable } from '../contract/errors.js';

/**
 * Sends one command and resolves with the reply. With ioredis `([command, ...args]) => client.call(command, ...args)`, with redis
 * `(args) => client.sendCommand(args)`, with its cluster `(args) => cluster.sendCommand(args[3], false, args)`. The command is
 * always EVALSHA or EVAL, and `args[3]` the first key.
 */
export type RedisSend = (args: string[]) => Promise<unknown>;

const digests = new Map<string, Promise<string>>();

/** SHA-1, by which Redis knows a script: computed here, so that no SCRIPT LOAD has to be sent or allowed. */
function digestOf(source: string): Promise<string> {
  let digest = digests.get(source);
  if (digest === undefined) {
    digest = crypto.subtle
      .digest('SHA-1', new TextEncoder().encode(source))
      .then((bytes) =>
        Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join(''),
      );
    digests.set(source, digest);
  }
  return digest;
}

/** Runs a script by its digest, and by its source on a server that does not know it yet. */
export async function runScript(
  send: RedisSend,
  source: string,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args.map(String)];
  try {
    return await send(['EVALSHA', await digestOf(source), ...rest]);
  } catch (error) {
    if (!/NOSCRIPT/.test(error instanceof Error ? error.message : printable(error))) throw error;
    return send(['EVAL', source, ...rest]);
  }
}

/** Numbers come as numbers, strings or bigints, depending on the client. */
export function numbers(reply: unknown): number[] {
  return (reply as unknown[]).map(Number);
}
