/** In the request that brought the file, like everything else. */
export function importInvoices(csv: string, summarize: (csv: string) => Map<string, number>) {
  return summarize(csv);
}
