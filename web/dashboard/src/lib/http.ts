// What no hook asks for.

const DEADLINE_MS = 10_000;

export function jsonFetcher(token: string | null): (path: string) => Promise<unknown> {
  return async (path) => {
    const answer = await fetch(new URL(path, document.baseURI), {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (!answer.ok) throw new Error(`the relay answered ${answer.status}`);
    return answer.json();
  };
}
