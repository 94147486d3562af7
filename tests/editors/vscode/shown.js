// What an editor shows: its lines from top to bottom, and the ghost text apart from them.
window.shown = (selector) => {
  const editor = document.querySelector(selector);
  const top = (line) => parseInt(line.style.top);
  const plain = (text) => text.replace(/\u00a0/g, " ").replace(/\u200b/g, "");
  const lines = [];
  const ghost = [];
  const inOrder = [...editor.querySelectorAll(".view-lines .view-line")].sort(
    (a, b) => top(a) - top(b),
  );
  for (const line of inOrder) {
    const text = line.cloneNode(true);
    const inline = [...text.querySelectorAll("[class*=ghost-text]")];
    inline.forEach((each) => each.remove());
    lines.push(plain(text.textContent));
    if (inline.length) ghost.push(plain(inline.map((each) => each.textContent).join("")));
  }
  for (const line of editor.querySelectorAll(".suggest-preview-text .view-line")) {
    ghost.push(plain(line.textContent));
  }
  return { lines, ghost: ghost.join("\n") };
};

window.lastLine = (selector) => {
  const { lines, ghost } = shown(selector);
  return [lines.at(-1), ghost];
};

window.markup = (selector) => document.querySelector(selector).innerHTML;

// Notes in `seen` what there is to see by `look`, whenever that part of the page changes.
window.watch = (selector, look) => {
  window.seen = [];
  window.watcher = new MutationObserver(() => seen.push(look(selector)));
  const all = { childList: true, subtree: true, characterData: true };
  watcher.observe(document.querySelector(selector), all);
};
