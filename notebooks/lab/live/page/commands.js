// Sends the reader's commands to the session.

/** Send one command. Returns `{happened, seq}`; throws an Error with one line for the reader. */
export async function command(action, fields = {}) {
  let answer;
  try {
    answer = await fetch(`/do${location.search}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ action, ...fields }),
    });
  } catch {
    throw new Error("The session does not answer. It may have ended.");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? `The session refused it (${answer.status}).`);
  return said;
}
