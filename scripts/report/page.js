"use strict";
/* The page is complete without this; with it the table of cells can be sorted and filtered. */
(() => {
    const table = document.getElementById("cells-table");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const heads = Array.from(table.tHead.rows[0].cells);

    const value = (row, column) => {
        const cell = row.cells[column];
        if (cell.dataset.sort === undefined)
            return cell.textContent;
        return cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
    };

    /* What is not known comes last, whichever way it is sorted. */
    const compare = (a, b, way) => {
        if (a === null || b === null)
            return (a === null) - (b === null);
        return way * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
    };

    const sort = (column) => {
        const up = heads[column].getAttribute("aria-sort") !== "ascending";
        heads.forEach((head) => head.removeAttribute("aria-sort"));
        heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
        rows.sort((a, b) => compare(value(a, column), value(b, column), up ? 1 : -1));
        body.append(...rows);
    };

    heads.forEach((head, column) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = head.textContent;
        head.dataset.name = head.textContent; /* printed instead: a repeated head has no buttons */
        button.addEventListener("click", () => sort(column));
        head.replaceChildren(button);
    });

    const place = document.getElementById("filter-place");
    const label = document.createElement("label");
    const input = document.createElement("input");
    const said = document.createElement("span");
    label.htmlFor = input.id = "filter";
    label.textContent = "Rows with all of these words:";
    input.type = "search";
    input.size = 24;
    said.setAttribute("role", "status");
    place.className = "filter";
    place.append(label, input, said);

    const filter = () => {
        const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        for (const row of rows) {
            const text = row.textContent.toLowerCase();
            row.hidden = !words.every((word) => text.includes(word));
            shown += !row.hidden;
        }
        said.textContent = `${shown} of ${rows.length} rows`;
    };
    input.addEventListener("input", filter);
    filter();
})();
