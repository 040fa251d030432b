/** Loads a module that is built into Node; `undefined` in browsers. Nothing in the package imports one statically. */
export function nodeModule<T>(id: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(id: string): unknown } };
  return process?.getBuiltinModule?.(id) as T | undefined;
}
