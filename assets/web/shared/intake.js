/** The ways a photo comes in: file picker, drop, paste, camera. Each ends in `onphoto(file)`. */

import { h, icon } from "./dom.js";
import { t } from "./language.js";

/**
 * @param {Object<string, any>} part the page's parts: open, file, camera, camera-dialog, board, drop
 * @param {function(File): void} onphoto
 * @param {function(string): void} onproblem
 * @param {function(): boolean} shown whether drops and pastes are meant for this page
 */
export function listenForPhotos(part, onphoto, onproblem, shown) {
  part.open.addEventListener("click", () => part.file.click());
  part.file.addEventListener("change", () => {
    if (part.file.files[0]) onphoto(part.file.files[0]);
    part.file.value = "";
  });
  listenForDrops({
    shown,
    over: (event) => (part.drop.hidden = !event),
    drop: ({ files }) => {
      if (files.length > 1) onproblem(t("Several photos were dropped; the first one was opened."));
      onphoto(files[0]);
    },
  });
  listenForPastes(shown, ([file]) => onphoto(file));
  part.camera.addEventListener("click", () => takePhoto(part["camera-dialog"], onphoto, onproblem));
}

/**
 * Files that are dragged over the window and dropped.
 * @param {Object} page
 * @param {function(): boolean} page.shown whether they are meant for this page
 * @param {function(DragEvent|null): void} page.over a file hovers there, or null: it has left
 * @param {function(DataTransfer, DragEvent): void} page.drop
 */
export function listenForDrops({ shown, over, drop }) {
  const files = (event) => shown() && event.dataTransfer?.types.includes("Files");
  let leaving = 0;
  document.addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    over(event);
    clearTimeout(leaving);
    leaving = setTimeout(() => over(null), 300); // dragover comes again and again while a file hovers
  });
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    clearTimeout(leaving);
    over(null);
    drop(event.dataTransfer, event);
  });
}

/**
 * Files that are pasted.
 * @param {function(): boolean} shown whether they are meant for this page
 * @param {function(File[]): void} onfiles at least one
 */
export function listenForPastes(shown, onfiles) {
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (!files.length || !shown()) return;
    event.preventDefault();
    onfiles(files);
  });
}

/** Show the camera's picture; the button takes it as a photo. */
async function takePhoto(dialog, onphoto, onproblem) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 } },
    });
  } catch (error) {
    const why =
      error.name === "NotAllowedError"
        ? t("The camera may not be used; allow it in the browser.")
        : t("No camera was found.");
    return onproblem(
      navigator.mediaDevices ? why : t("The camera works on https and localhost addresses only."),
    );
  }
  const video = h("video", {
    autoplay: true,
    playsinline: true,
    muted: true,
    "aria-label": t("Camera picture"),
  });
  video.srcObject = stream;
  const close = () => dialog.close();
  const take = () => {
    const shot = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    shot.getContext("2d").drawImage(video, 0, 0);
    shot.toBlob(
      (blob) => onphoto(new File([blob], "camera.jpg", { type: "image/jpeg" })),
      "image/jpeg",
      0.92,
    );
    close();
  };
  dialog.addEventListener("close", () => stream.getTracks().forEach((track) => track.stop()), { once: true });
  dialog.replaceChildren(
    video,
    h(
      "div",
      { class: "row" },
      h("button", { class: "button", type: "button", onclick: take }, icon("camera"), t("Take the photo")),
      h("button", { class: "button quiet", type: "button", onclick: close }, t("Cancel")),
    ),
  );
  dialog.showModal();
}
