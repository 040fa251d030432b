/** What an import adds up to per customer. Runs in a thread of its own. @param {string} csv */
export default function summarize(csv) {
  const totals = new Map();
  for (const line of csv.split('\n')) {
    const [customer = '', amount] = line.split(';');
    totals.set(customer, (totals.get(customer) ?? 0) + Number(amount));
  }
  return totals;
}
