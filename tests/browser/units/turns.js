import { equal, test } from "./cases.js";
import { Turns } from "../../../assets/web/shared/turns.js";

test("what was asked before something newer is late", () => {
  const turns = new Turns(),
    first = turns.begin();
  equal(first(), true);
  const second = turns.begin();
  equal([first(), second()], [false, true]);
});
