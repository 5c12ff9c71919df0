"""Tests that the compiler knows the contract of the TypeScript client."""

import pytest

from ..npm import NPM_SECONDS

USE = """
import { Realtime } from "./realtime.js";

const realtime = new Realtime({ url: "https://realtime.example", token: async () => "token" });
realtime.on("chat:message", (message) => { const who: string = message.from.id; const when: number = message.at; });
const answer = await realtime.ask("chat:send", { to: "bo", text: "hello" });
if (answer.ok) { const id: string = answer.data.id; }
else if (answer.error.code === "queue_full") { const why: string = answer.error.message; }
"""
WRONG_USES = {
    "an unknown event": 'await realtime.ask("chat:shout", { to: "bo", text: "x" });',
    "no target": 'await realtime.ask("chat:send", { text: "x" });',
    "an answer that is not checked": '(await realtime.ask("room:join", { room: "job:17" })).data.room;',
    "an unknown code": 'const a = await realtime.ask("room:join", { room: "x" }); if (!a.ok) a.error.code === "no";',
    "an unknown message": 'realtime.on("chat:shouted", () => {});',
    "a missing field of a message": 'realtime.on("tracking:position", (message) => message.sender);',
    "a token that is no promise": 'new Realtime({ url: "https://realtime.example", token: () => "token" });',
}

pytestmark = pytest.mark.timeout(2 * NPM_SECONDS)


def compiled(compile_client, folder, text):
    (folder / "use.ts").write_text(text)
    return compile_client(folder, "use.ts")


def test_the_client_has_the_types_of_the_contract(compile_client, tmp_path):
    assert compiled(compile_client, tmp_path, USE) == ""


def test_every_wrong_use_of_the_client_is_refused(compile_client, tmp_path):
    # an expected error that does not come is an error, too
    wrong = [f"// @ts-expect-error {why}\n{line}" for why, line in WRONG_USES.items()]
    assert compiled(compile_client, tmp_path, "\n".join([USE, *wrong])) == ""
