/** A module of the runtime, where it has it: browsers do not, and no file of the package imports one. */
export function nodeModule<T>(id: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(id: string): unknown } };
  return process?.getBuiltinModule?.(id) as T | undefined;
}
