/** A request. Its answer is a move. */
export interface Question<T> {
  readonly name: string;
  answer(value: T | PromiseLike<T>): void;
  fail(): void;
}

/** Asks, and leaves the question open until it is answered or fails. */
export function pose<T, About extends { readonly name: string }>(
  open: Set<Question<T> & About>,
  about: About,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const question = {
      ...about,
      answer(value: T | PromiseLike<T>) {
        open.delete(question);
        resolve(value);
      },
      fail() {
        open.delete(question);
        reject(new Error(`${about.name} failed`));
      },
    };
    open.add(question);
  });
}
