/** The name of the owner of a request: a label for people, and random bits that no other request has. */
import { nodeModule } from '../runtime/node-module.js';

/** 128 random bits. Not `randomUUID`, which draws from a cache that a snapshot of the process would copy. */
export function ownerOf(label = thisProcess()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${label}/${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

export function labelOf(owner: string): string {
  return owner.replace(/\/[0-9a-f]{32}$/, '');
}

/** Asked for each request: a clone of this process has another id, and may have another host. */
function thisProcess(): string {
  const { process } = globalThis as { process?: { pid?: number } };
  return `${hostName()}:${process?.pid ?? 0}`;
}

function hostName(): string {
  try {
    return nodeModule<{ hostname(): string }>('node:os')?.hostname() ?? 'unknown';
  } catch {
    // Deno has the method, and it throws without the permission to read the name.
    return 'unknown';
  }
}
