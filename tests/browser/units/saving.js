import { Edits } from "../../../assets/web/label/edits.js";
import { saveLine } from "../../../assets/web/label/save-line.js";
import { equal, test } from "./cases.js";

const SAVED = { ok: true };
const gesture = (mark) => ({ name: "edit", message: { mark }, sketch: { mark } });

/** Edits at revision 3 whose server gives these answers one by one, and what has happened. */
function edits(...answers) {
  const happened = [];
  const note = (what) => async (reply, given) => {
    happened.push([what, [given].flat().map(({ message }) => message.mark)]);
    return reply.now ?? null;
  };
  const one = new Edits(3, {
    send: async ({ message }, revision) => {
      happened.push(["sent", message.mark, revision]);
      const answer = answers.shift();
      return answer.ok ? { revision: revision + 1, ...answer } : answer;
    },
    saved: note("saved"),
    refused: note("refused"),
    outdated: note("outdated"),
    changed: () => {},
    pause: async () => void happened.push(["paused", one.trouble]),
  });
  return { one, happened };
}

test("gestures are sent one after the other, each on top of the one before", async () => {
  const { one, happened } = edits(SAVED, SAVED);
  await one.push(gesture("a"), gesture("b"));
  equal(happened, [["sent", "a", 3], ["saved", ["a"]], ["sent", "b", 4], ["saved", ["b"]]]);
  equal([one.revision, one.waiting.length, one.trouble], [5, 0, null]);
});

test("while no server answers, gestures wait and are sent again", async () => {
  const { one, happened } = edits({ ok: false, lost: true }, SAVED, SAVED);
  await one.push(gesture("a"), gesture("b"));
  equal(happened[1], ["paused", "lost"]);
  equal(happened.filter(([what]) => what === "saved").length, 2);
});

test("while another project is open, gestures wait and are sent again", async () => {
  const elsewhere = { ok: false, other_project: true, error: "Another project is open here now." };
  const { one, happened } = edits(elsewhere, elsewhere, SAVED);
  await one.push(gesture("a"));
  equal(happened.filter(([what]) => what === "paused"), [["paused", "elsewhere"], ["paused", "elsewhere"]]);
  equal(happened.at(-1), ["saved", ["a"]]);
});

test("a refused gesture is dropped alone, and those after it are sent", async () => {
  const { one, happened } = edits({ ok: false, error: "There is no class 9." }, SAVED);
  await one.push(gesture("a"), gesture("b"));
  equal(happened.slice(1), [["refused", ["a"]], ["sent", "b", 3], ["saved", ["b"]]]);
});

test("a stale gesture takes those after it along, and the revision is the one that is answered", async () => {
  const { one, happened } = edits({ ok: false, stale: true, error: "stale revision", now: 8 });
  await one.push(gesture("a"), gesture("b"));
  equal(happened.at(-1), ["refused", ["a", "b"]]);
  equal(one.revision, 8);
});

test("gestures that had to wait and are stale then are not dropped but handed out", async () => {
  const { one, happened } = edits({ ok: false, lost: true }, SAVED, { ok: false, stale: true, error: "stale revision" });
  await one.push(gesture("a"), gesture("b"), gesture("c"));
  equal(happened.at(-1), ["outdated", ["b", "c"]]);
});

test("what waits is painted meanwhile", () => {
  const { one } = edits(SAVED, SAVED);
  one.push(gesture("a"), { ...gesture("b"), sketch: null });
  equal(one.sketches, [{ mark: "a" }]);
  equal(one.sending, true);
});

test("the state line says Saved alone only when nothing waits anywhere", () => {
  const nothing = { waiting: 0, trouble: null, late: 0, elsewhere: [] };
  equal(saveLine(nothing), { state: "saved", text: "Saved" });
  equal(saveLine({ ...nothing, waiting: 2 }).text, "Saving");
  equal(saveLine({ ...nothing, waiting: 2, trouble: "lost" }).text, "Not saved yet: the server does not answer; 2 waiting");
  equal(
    saveLine({ ...nothing, waiting: 1, trouble: "away" }).text,
    "Not saved yet: the project's database does not answer; 1 waiting",
  );
  equal(
    saveLine({ ...nothing, waiting: 1, trouble: "elsewhere" }).text,
    "Not saved yet: 1 edit waits until this project is open here again",
  );
  equal(saveLine({ ...nothing, late: 3 }).text, "Not saved: 3 edits");
  equal(saveLine({ ...nothing, elsewhere: [{ project: "pets", edits: 2 }] }), {
    state: "waits",
    text: "Saved here; 2 edits wait for project pets",
  });
});
