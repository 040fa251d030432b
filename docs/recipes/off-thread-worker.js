/** The total per customer of an import. Runs in its own thread. Empty lines are skipped. @param {string} csv */
export default function summarize(csv) {
  const totals = new Map();
  for (const line of csv.split(/\r?\n/)) {
    if (line.trim() === '') continue;
    const [customer = '', amount] = line.split(';');
    totals.set(customer, (totals.get(customer) ?? 0) + Number(amount));
  }
  return totals;
}
