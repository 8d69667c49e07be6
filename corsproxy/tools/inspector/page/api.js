// What the page asks of the proxy.  The token comes in the fragment of the URL, which no server sees, and stays in this
// tab; it goes back in a header, which no other page can set.

const KEPT = "corsproxy-inspector-token";
const SECONDS_TO_WAIT = 1;

function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEPT, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEPT) ?? "";
}

const headers = { Authorization: `Bearer ${token()}` };

/** The JSON of an answer; an Error says in words what is wrong. */
export async function ask(path, options = {}) {
  const response = await fetch(`api/${path}`, { ...options, headers });
  const text = await response.text();
  if (response.headers.get("Content-Type")?.startsWith("application/json")) {
    const value = JSON.parse(text);
    if (response.ok) return value;
    throw new Error(value.problem);
  }
  throw new Error(text.trim() || `the proxy answered ${response.status}`);
}

/** Follow the exchanges for ever: `tell` gets each piece of news, `say` how the connection is. */
export async function follow(tell, say) {
  for (;;) {
    try {
      const response = await fetch("api/events", { headers });
      if (!response.ok) throw new Error((await response.text()).trim());
      say("live", true);
      await events(response.body, tell);
      say("the proxy has ended", false);
    } catch (error) {
      say(error instanceof TypeError ? "the proxy is away" : error.message, false);
    }
    await new Promise((resolve) => setTimeout(resolve, SECONDS_TO_WAIT * 1000));
  }
}

// https://html.spec.whatwg.org/multipage/server-sent-events.html; EventSource cannot send the header.
async function events(stream, tell) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    const blocks = held.split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (data) tell(JSON.parse(data.slice("data: ".length)));
    }
  }
}
