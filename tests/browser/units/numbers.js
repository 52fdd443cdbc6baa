import { equal, test } from "./cases.js";
import { bytes, decimal, duration, percent, plural, progress } from "../../../assets/web/shared/numbers.js";

test("what is there is never 0 per cent", () => {
  equal([0, 0.0001, 0.0005, 0.0123, 0.0994, 0.5, 1].map(percent), ["0 %", "< 0.1 %", "0.1 %", "1.2 %", "9.9 %", "50 %", "100 %"]);
});

test("a noun follows its number", () => {
  equal([1, 0, 2400].map((n) => plural(n, "{n} class", "{n} classes")), ["1 class", "0 classes", "2,400 classes"]);
});

test("bytes have one to three digits", () => equal([999, 1500, 12_345_678].map(bytes), ["999 bytes", "1.5 KB", "12 MB"]));

test("time spans are told in the unit that suits them", () => equal([0.2, 61, 600, 10_000].map(duration), ["1 s", "61 s", "10 min", "3 h"]));

test("a minus is a minus", () => equal(decimal(-0.254), "−0.25"));

test("a job says how far it is, and how long it will take once that is known", () => {
  const job = { what: "Adding photos", done: 3, all: 2400, left: null };
  equal([progress(job), progress({ ...job, left: 90 }), progress({ ...job, all: 0 })], [
    "Adding photos: 3 of 2,400",
    "Adding photos: 3 of 2,400, about 90 s left",
    "Adding photos",
  ]);
});
