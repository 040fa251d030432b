/**
 * The number by which PostgreSQL knows a lock: 64 bits of a hash of the names, as text, since a driver may not send a
 * bigint. Made here and not in SQL: `hashtextextended` may change with a version of the server.
 */
export async function advisoryKey(namespace: string, key: string): Promise<string> {
  const bytes = new TextEncoder().encode(`${namespace}\0${key}`);
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return new DataView(digest).getBigInt64(0).toString();
}
