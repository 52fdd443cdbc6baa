import { counted, inSight, queued, reaching, sift } from "../../../assets/web/label/sift.js";
import { equal, test } from "./cases.js";

const photos = ["new", "done", "in work", "skipped"].map((state, k) => ({ photo: k + 1, name: `Cat${k}.JPG`, state }));

test("rows of the queue are photos with the names of their states", () => {
  equal(queued([[7, "a.jpg", 1, 2]], ["new", "done"]), [{ photo: 7, name: "a.jpg", state: "done", revision: 2 }]);
});

test("a name is found whatever the case, and the photo in hand stays listed", () => {
  equal(sift(photos, { text: " cat2.jpg " }), [2]);
  equal(sift(photos, { text: "cat2", current: 1 }), [0, 2]);
  equal(sift(photos, { text: "dog" }), []);
});

test("photos are listed by state, or those that are still to do", () => {
  equal(sift(photos, { filter: "done" }), [1]);
  equal(sift(photos, { filter: "open" }), [0, 2]);
  equal(sift(photos, {}), [0, 1, 2, 3]);
});

test("photos are counted by state", () => {
  equal(counted([...photos, { state: "done" }]).get("done"), 2);
});

test("the rows in sight and a few around them are drawn, never more than there are", () => {
  const list = { room: 100, length: 10, count: 50, around: 2 };
  equal(inSight({ ...list, offset: 0 }), [0, 12]);
  equal(inSight({ ...list, offset: 205 }), [18, 33]);
  equal(inSight({ ...list, offset: 1e6 }), [50, 50]);
  equal(inSight({ ...list, count: 0, offset: 0 }), [0, 0]);
});

test("a list is scrolled no further than a row needs to be seen", () => {
  const list = { offset: 100, room: 50, length: 10 };
  equal([4, 10, 14, 15, 20].map((row) => reaching(list, row)), [40, 100, 100, 110, 160]);
});
