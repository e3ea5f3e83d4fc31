"use strict";
// What stands under the pointer: told as text, from the data-tip of the strip that it meets.
const tip = document.getElementById("tip");
let lit = null;
function hide() {
  tip.hidden = true;
  if (lit) lit.classList.remove("lit");
  lit = null;
}
document.addEventListener("pointerover", (event) => {
  const target = event.target.closest("[data-tip]");
  hide();
  if (!target) return;
  lit = target;
  lit.classList.add("lit");
  tip.textContent = target.dataset.tip;
  tip.hidden = false;
  const at = target.getBoundingClientRect();
  const left = at.left + at.width / 2 - tip.offsetWidth / 2;
  const most = document.documentElement.clientWidth - tip.offsetWidth - 4;
  tip.style.left = `${window.scrollX + Math.max(4, Math.min(left, most))}px`;
  tip.style.top = `${window.scrollY + Math.max(4, at.top - tip.offsetHeight - 6)}px`;
});
document.addEventListener("pointerleave", hide);
