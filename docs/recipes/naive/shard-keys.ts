import { createHash } from 'node:crypto';

/** Fair, the same in every process, and one line. */
export function serverFor(key: string, servers: readonly string[]): string {
  return servers[createHash('sha1').update(key).digest().readUInt32BE() % servers.length] as string;
}
