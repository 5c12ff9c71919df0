// Reads the session: the state once, then every event, in order and without a gap.

const query = location.search;

/** Start reading. `onState(state)` comes first and after each gap, then `onEvent(event)`, `onEnd()` at the end. */
export function readSession({ onState, onEvent, onEnd }) {
  let seq = null;
  let waiting = [];
  let isLoading = false;

  function accept(event) {
    if (event.seq <= seq) return;
    if (event.seq > seq + 1) {
      waiting.push(event);
      load();
      return;
    }
    seq = event.seq;
    onEvent(event);
  }

  async function load() {
    if (isLoading) return;
    isLoading = true;
    try {
      const answer = await fetch(`/state${query}`);
      if (!answer.ok) throw new Error(await answer.text());
      const state = await answer.json();
      seq = state.seq;
      onState(state);
    } catch {
      source.close();
      onEnd();
      return;
    } finally {
      isLoading = false;
    }
    const late = waiting;
    waiting = [];
    late.forEach(accept);
  }

  // opened before the state is read, so that nothing is missed between the two
  const source = new EventSource(`/events${query}`);
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (seq === null || isLoading) waiting.push(event);
    else accept(event);
  };
  source.onopen = load;
  source.onerror = () => {
    // the browser tries again by itself; a server that is gone does not answer
    fetch(`/state${query}`).catch(() => {
      source.close();
      onEnd();
    });
  };
}
