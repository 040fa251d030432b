/** "It fails now and then, so we try again." It retries at once, whatever the answer was. */
export async function get(url: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url);
    if (response.ok) return response.text();
    await response.body?.cancel();
    if (attempt === 4) throw new Error(`status ${response.status}`);
  }
}
