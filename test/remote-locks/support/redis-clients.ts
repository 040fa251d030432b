import { Redis } from 'ioredis';
import type { RedisSend } from 'latchkey/redis';
import { createClient } from 'redis';

export interface RedisClients extends AsyncDisposable {
  readonly send: RedisSend;
  readonly subscribe: (channel: string, listener: (message: string) => void) => unknown;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Two connections of ioredis: one for commands, one that listens. */
export function ioredisClients(address: Address): RedisClients {
  const commands = new Redis({ ...address, enableOfflineQueue: true, maxRetriesPerRequest: 1 });
  const subscriber = new Redis({ ...address });
  for (const client of [commands, subscriber]) client.on('error', () => {});
  return {
    send: ([command = '', ...args]) => commands.call(command, ...args),
    async subscribe(channel, listener) {
      subscriber.on('message', (from: string, message: string) => {
        if (from === channel) listener(message);
      });
      await subscriber.subscribe(channel);
    },
    async [Symbol.asyncDispose]() {
      commands.disconnect();
      subscriber.disconnect();
    },
  };
}

/** The same with redis. */
export async function nodeRedisClients(address: Address): Promise<RedisClients> {
  const commands = createClient({ socket: address });
  const subscriber = createClient({ socket: address });
  for (const client of [commands, subscriber]) {
    client.on('error', () => {});
    await client.connect();
  }
  return {
    send: (args) => commands.sendCommand(args),
    subscribe: (channel, listener) => subscriber.subscribe(channel, listener),
    async [Symbol.asyncDispose]() {
      commands.destroy();
      subscriber.destroy();
    },
  };
}
