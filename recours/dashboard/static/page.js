"use strict";

// Poll a running action until it ends, then reload the page with its result.
async function follow(notice) {
  const address = notice.dataset.underWay;
  if (!address) return;
  await new Promise((done) => setTimeout(done, 400));
  try {
    const answer = await fetch(address);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("notice");
    if (!fresh) return;
    if (!fresh.dataset.underWay) {
      location.reload();
      return;
    }
    notice.replaceWith(document.adoptNode(fresh));
    follow(fresh);
  } catch {
    follow(notice); // the server may come back
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const notice = document.getElementById("notice");
  if (notice) follow(notice);
});

// Ignore the second click of a double click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// A button with data-opens="ID" opens that dialog; one with data-closes closes its own.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-opens], [data-closes]");
  if (!button) return;
  if (button.dataset.opens) document.getElementById(button.dataset.opens).showModal();
  else button.closest("dialog").close();
});

// A button with data-copies copies the element before it and confirms this. Where the browser does not allow that (plain
// HTTP across a network), the text is at least selected.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const command = button.previousElementSibling;
  getSelection().selectAllChildren(command);
  try {
    await navigator.clipboard.writeText(command.textContent);
    button.textContent = button.dataset.copies;
  } catch {
    // the user copies the selected text
  }
});

// ---------------------------------------------------------------- lists

document.documentElement.classList.add("script");

function showSelection(form) {
  const boxes = [...form.querySelectorAll("input[name=reference]")];
  const all = form.querySelector("input[name=all]");
  const count = boxes.filter((box) => box.checked).length;
  const shown = form.querySelector("[data-counts]");
  const [one, more] = shown.dataset.counts.split("|");
  shown.textContent = all?.checked ? "" : count === 1 ? one : count ? more.replace("2", count) : "";
  for (const box of boxes) box.disabled = Boolean(all?.checked);
  const whole = form.querySelector("[data-chooses-all]");
  whole.checked = count === boxes.length;
  whole.indeterminate = count > 0 && count < boxes.length;
  whole.disabled = Boolean(all?.checked);
}

let last = null; // the last clicked box: a shift-click selects all boxes in between
document.addEventListener("click", (event) => {
  const box = event.target;
  if (!box.matches?.("input[name=reference]")) return;
  const boxes = [...box.form.querySelectorAll("input[name=reference]")];
  if (event.shiftKey && last && boxes.includes(last)) {
    const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((one, other) => one - other);
    for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
  }
  last = box;
});
document.addEventListener("change", (event) => {
  const changed = event.target;
  if (changed.matches("[data-sends]")) {
    changed.form.requestSubmit();
    return;
  }
  const form = changed.closest("form#list");
  if (!form) return;
  if (changed.matches("[data-chooses-all]"))
    for (const box of form.querySelectorAll("input[name=reference]")) box.checked = changed.checked;
  showSelection(form);
});
window.addEventListener("pageshow", () => {
  const form = document.querySelector("form#list");
  if (form?.querySelector("[data-counts]")) showSelection(form);
});
// On a phone, close the filters unless one of them is set.
document.addEventListener("DOMContentLoaded", () => {
  const choices = document.querySelector("details.choices");
  if (choices && innerWidth <= 640 && ![...choices.querySelectorAll("select")].some((one) => one.value)) choices.open = false;
});
// Keep empty fields out of the address.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
});

// Show a document at its full height, scaled down if it is wider than its container.
function fit(frame) {
  const page = frame.contentDocument && frame.contentDocument.documentElement;
  if (!page) return;
  const place = frame.parentElement;
  frame.style.width = frame.style.height = frame.style.transform = place.style.height = "";
  const width = Math.max(page.scrollWidth, place.clientWidth);
  frame.style.width = `${width}px`;
  frame.style.height = "1px"; // otherwise scrollHeight never shrinks
  const height = Math.min(page.scrollHeight, 20000);
  const scale = place.clientWidth / width;
  frame.style.height = `${height}px`;
  frame.style.transform = `scale(${scale})`;
  place.style.height = `${Math.ceil(height * scale) + 2}px`;
}
const fitAll = () => document.querySelectorAll("iframe[data-fits]").forEach(fit);
window.addEventListener("load", fitAll);
window.addEventListener("resize", fitAll);

// Replace an image that cannot be displayed with a message.
function sayFailed(picture) {
  const text = document.createElement("span");
  text.className = "fault";
  text.textContent = picture.dataset.failed;
  picture.replaceWith(text);
}
document.addEventListener("error", (event) => event.target.dataset?.failed && sayFailed(event.target), true);
document.addEventListener("DOMContentLoaded", () => {
  for (const picture of document.querySelectorAll("img[data-failed]")) {
    if (picture.complete && !picture.naturalWidth && picture.loading !== "lazy") sayFailed(picture);
  }
});
