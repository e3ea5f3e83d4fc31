// Tables that are sorted by their heads and filtered by a word, where they say so.
(() => {
const key = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
};
const isNothing = (value) => value === "" || value === "–" || Number.isNaN(value);

function sort(table, head) {
  const column = head.cellIndex, body = table.tBodies[0];
  const down = head.getAttribute("aria-sort") === "descending" ||
    (head.getAttribute("aria-sort") === null && column === 0);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "ascending" : "descending");
  const way = down ? 1 : -1;
  const rows = [...body.rows].map((row) => [key(row, column), row]);
  // What is not known stands last, whichever way.
  rows.sort(([one], [other]) => isNothing(one) - isNothing(other) || way *
    (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other))));
  body.append(...rows.map(([, row]) => row));
}

function filter(input) {
  const words = input.value.trim().toLowerCase().split(/\s+/);
  const table = document.getElementById(input.getAttribute("aria-controls"));
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const name = row.cells[0].textContent.toLowerCase();
    row.hidden = !words.every((word) => name.includes(word));
    shown += !row.hidden;
  }
  input.closest("p").querySelector("output").textContent = `${shown} of ${table.tBodies[0].rows.length}`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("th button");
  if (button) sort(button.closest("table"), button.closest("th"));
});
document.querySelectorAll("input[type=search]").forEach((input) => {
  input.addEventListener("input", () => filter(input));
  filter(input);
});
})();
