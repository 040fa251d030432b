import { execFile } from 'node:child_process';

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** Not an exit code: `killed`, when it had to be. */
  readonly exit: number | 'killed';
}

const patienceMs = 60_000;

/** Runs a program to its end, in any way; rejects only when there is no such program. */
export function runProgram(
  command: string,
  args: string[],
  cwd: string,
  longestMs = patienceMs,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, timeout: longestMs, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr, exit: 0 });
      else if (error.killed) resolve({ stdout, stderr, exit: 'killed' });
      else if (typeof error.code === 'number') resolve({ stdout, stderr, exit: error.code });
      else reject(error);
    });
  });
}
