import { createHash } from 'node:crypto';

/** One line that spreads keys evenly, with the same result in every process. */
export function serverFor(key: string, servers: readonly string[]): string {
  return servers[createHash('sha1').update(key).digest().readUInt32BE() % servers.length] as string;
}
