import { Carrying } from "../../../assets/web/label/carrying.js";
import { equal, test } from "./cases.js";

/** Carrying on a page whose server gives these answers one by one, and what was told. */
function carrying(...answers) {
  const told = [],
    part = Object.fromEntries(["film", "film-run", "film-more", "film-ways"].map((name) => [name, document.createElement("div")])),
    nothing = async () => {};
  const page = {
    part,
    store: { watch: (fields, hear) => fields.includes("map") && (page.labels = hear), state: { photo: { photo: 1 } } },
    film: { place: 0, frames: [1, 2], film: { id: 1 }, load: nothing },
    photos: { refresh: nothing, open: nothing },
    saving: { rest: nothing },
    call: async () => answers.shift(),
    problem: (text) => told.push(text),
    announce: (text) => told.push(text),
  };
  const one = new Carrying(page);
  one.looked = true;
  one.later = () => told.push("later");
  return { one, page, told };
}

const RUNNING = { ok: true, running: true, done: 0, all: 3 };

test("a lost answer does not end the looks at labels that are carried in the background", async () => {
  const { one, told } = carrying(RUNNING, { ok: false, lost: true }, { ok: true, running: false, report: null });
  await one.start("end");
  equal([one.busy, told], [true, ["", "later"]]);
  await one.look();
  equal([one.busy, told.at(-1), told.length], [true, "later", 3]);
  await one.look();
  equal(one.busy, false);
});

test("why nothing could be carried is told until the labels are others", async () => {
  const { one, page, told } = carrying({ ok: false, error: "This frame has no labels yet." });
  await one.start("end");
  equal(told.at(-1), "This frame has no labels yet.");
  page.labels();
  equal(told.at(-1), "");
});
