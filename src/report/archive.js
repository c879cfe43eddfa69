"use strict";
// Columns are sorted by their heads, rows chosen by their names.
(() => {
  const body = document.querySelector("tbody");
  const rows = [...body.rows];
  const heads = [...document.querySelectorAll("th")];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const isNumber = head.dataset.sort === "number";
      const before = head.getAttribute("aria-sort");
      // Of numbers the great ones are asked for.
      const direction = before ? (before === "ascending" ? "descending" : "ascending") : isNumber ? "descending" : "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction);
      const value = row => row.cells[column].dataset.value;
      const sign = direction === "ascending" ? 1 : -1;
      rows.sort((a, b) => sign * (isNumber ? value(a) - value(b) : value(a).localeCompare(value(b), undefined, { numeric: true })));
      body.append(...rows);
    });
  });
  const filter = document.getElementById("filter"), shown = document.getElementById("shown");
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    rows.forEach(row => { row.hidden = !row.cells[0].dataset.value.toLowerCase().includes(wanted); });
    shown.value = wanted ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
  });
})();
