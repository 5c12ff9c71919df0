/** Tokens from the example's own endpoint. In your product, your login issues them. */

export interface Person {
  user: string;
  role: "driver" | "company";
  company: string;
  other: string; // the user to write to
}

/** Return a function that asks for a new token at every call, as `Realtime` needs it. */
export function tokensOf({ user, role, company }: Person, seconds: () => string): () => Promise<string> {
  return async () => {
    const query = new URLSearchParams({ user, role, company, seconds: seconds() });
    const response = await fetch(`/dev/token?${query}`);
    if (!response.ok) throw new Error(`no token: ${response.status}`);
    const { token } = (await response.json()) as { token: string };
    return token;
  };
}

/** Return when a token expires, in milliseconds since the epoch. */
export function expiryOf(token: string): number {
  const payload = token.split(".")[1] ?? "";
  const { exp } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { exp: number };
  return exp * 1000;
}
