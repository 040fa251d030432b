/** What is asked of a PostgreSQL driver: `Pool` and `PoolClient` of pg have it. */
import { checkFunction, checkObject } from '../contract/arguments.js';

export interface PostgresResult {
  // biome-ignore lint/suspicious/noExplicitAny: rows are what the statement says, and the driver says `any` as well.
  readonly rows: any[];
  readonly rowCount: number | null;
  readonly command: string;
}

export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
  /** With `true`, the connection is closed and not used again. */
  release(destroy?: boolean): void;
}

export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
}

export function checkPool(pool: PostgresPool): void {
  checkObject('pool', pool);
  checkFunction('pool.connect', pool.connect);
  checkFunction('pool.query', pool.query);
}
