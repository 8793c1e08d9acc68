// The relay's HTTP, read only.

import { TickwireError } from "./types.js";

const DEADLINE_MS = 10_000;

export interface HttpOptions {
  /** Where the relay is; ends with a slash. */
  base(): string;
  token(): string | undefined;
  fetch: typeof globalThis.fetch;
}

export class Http {
  constructor(private readonly options: HttpOptions) {}

  async json<T>(path: string, signal?: AbortSignal): Promise<T> {
    const answer = await this.ask(path, signal);
    let body: unknown;
    try {
      body = JSON.parse(answer.text);
    } catch {
      throw new TickwireError("malformed", `the relay's answer to ${path} is no JSON`, answer.status);
    }
    return body as T;
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    return (await this.ask(path, signal)).text;
  }

  private async ask(path: string, signal?: AbortSignal): Promise<{ text: string; status: number }> {
    const token = this.options.token();
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    let response: Response;
    let text: string;
    try {
      response = await this.options.fetch(new URL(path, this.options.base()).href, {
        headers: token ? { Authorization: `Bearer ${token}` } : {},
        signal: signal ? either(signal, deadline) : deadline,
      });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      if (deadline.aborted) throw new TickwireError("timeout", "the relay did not answer in time");
      throw new TickwireError("unreachable", "the relay is not reached");
    }
    if (!response.ok) throw refusal(response.status, text);
    return { text, status: response.status };
  }
}

/** Without AbortSignal.any, which is younger than the browsers that are served here. */
function either(one: AbortSignal, other: AbortSignal): AbortSignal {
  const both = new AbortController();
  for (const signal of [one, other]) {
    if (signal.aborted) both.abort(signal.reason);
    else signal.addEventListener("abort", () => both.abort(signal.reason), { once: true, signal: both.signal });
  }
  return both.signal;
}

/** docs/http.md: every error has one shape; what stands between may answer with something else. */
function refusal(status: number, text: string): TickwireError {
  let body: { error_code?: unknown; user_message?: unknown; error_message?: unknown } = {};
  try {
    body = (JSON.parse(text) as typeof body) ?? {};
  } catch {
    // not ours
  }
  const said = [body.user_message, body.error_message].find((each) => typeof each === "string");
  const code = typeof body.error_code === "string" ? body.error_code : "refused";
  return new TickwireError(code, (said as string | undefined) ?? `the relay answered ${status}`, status);
}

/** `XBT/USD` keeps its slash, `#AAPL_otc` becomes `%23AAPL_otc`. */
export function assetPath(asset: string): string {
  return asset.split("/").map(encodeURIComponent).join("/");
}
