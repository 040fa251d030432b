/** Types of the parts of Node that this folder uses: the package is built without Node's own types and loads in any runtime. */
import { nodeModule } from '../runtime/node-module.js';

export interface Socket {
  write(text: string): boolean;
  setEncoding(encoding: 'utf8'): void;
  destroy(): void;
  destroySoon(): void;
  unref(): void;
  on(event: 'connect' | 'close', listener: () => void): void;
  on(event: 'data', listener: (text: string) => void): void;
  on(event: 'error', listener: (error: SystemError) => void): void;
}

export interface Server {
  maxConnections: number;
  listen(options: { path: string; exclusive: boolean }, listening: () => void): void;
  close(): void;
  unref(): void;
  on(event: 'connection', listener: (socket: Socket) => void): void;
  on(event: 'error', listener: (error: SystemError) => void): void;
}

export interface SystemError extends Error {
  readonly code?: string;
}

interface Stats {
  readonly uid: number;
  readonly mode: number;
  isDirectory(): boolean;
}

interface Net {
  createServer(): Server;
  connect(options: { path: string }): Socket;
}

interface Files {
  mkdir(path: string, options: { recursive: boolean; mode: number }): Promise<unknown>;
  lstat(path: string): Promise<Stats>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  writeFile(path: string, text: string, options: { mode: number; flag: string }): Promise<void>;
  link(existing: string, path: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

interface Hash {
  update(text: string): Hash;
  digest(encoding: 'hex'): string;
}

interface Process {
  readonly platform: string;
  readonly pid: number;
  readonly hrtime: { bigint(): bigint };
  getuid(): number;
}

export const net = nodeModule<Net>('node:net')!;
export const files = nodeModule<Files>('node:fs/promises')!;
export const os = nodeModule<{ tmpdir(): string }>('node:os')!;
export const crypto = nodeModule<{ createHash(algorithm: 'sha256'): Hash }>('node:crypto')!;

/** This process. Read when it is needed: browsers have none. */
export function thisProcess(): Process {
  return (globalThis as unknown as { process: Process }).process;
}
