/** Colour and progress, where a person looks at a terminal. A file or a pipe gets plain text. */
import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

const isColoured = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined;

export function styled(format: Format, text: string): string {
  return isColoured ? styleText(format, text) : text;
}

/** One line that says what is measured now; it is gone when a table is printed. */
export class Progress {
  readonly #startedMs = performance.now();
  #shown = '';
  #timer: NodeJS.Timeout | undefined;

  show(text: string): void {
    if (process.stderr.isTTY !== true) return;
    this.#shown = text;
    this.#draw();
    this.#timer ??= setInterval(() => this.#draw(), 1_000);
  }

  clear(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.stderr.write('\r\u001B[K');
  }

  #draw(): void {
    const seconds = Math.round((performance.now() - this.#startedMs) / 1_000);
    process.stderr.write(`\r\u001B[K${this.#shown}, ${seconds} s`);
  }
}
